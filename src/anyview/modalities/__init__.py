"""One short file a modality: its views, encoder, raw features and tasks."""

import importlib

from anyview.errors import unknown
from anyview.modalities.base import Modality

NAMES = ("image",)

__all__ = ["NAMES", "Modality", "modality"]


def modality(name: str) -> Modality:
    """The modality called ``name``.

    Raises:
        InputError: for an unknown name, with the nearest right one.
    """
    if name not in NAMES:
        raise unknown("modality", name, NAMES)
    return importlib.import_module(f"anyview.modalities.{name}").MODALITY
