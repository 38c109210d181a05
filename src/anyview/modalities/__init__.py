"""One short file a modality: its views, encoder, raw features and tasks. A file put here is found by itself."""

import importlib
import pkgutil

from anyview.errors import unknown
from anyview.modalities.base import Modality

NAMES = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base"))

__all__ = ["NAMES", "Modality", "modality"]


def modality(name: str) -> Modality:
    """The modality called ``name``.

    Raises:
        InputError: for an unknown name, with the nearest right one.
    """
    if name not in NAMES:
        raise unknown("modality", name, NAMES)
    return importlib.import_module(f"anyview.modalities.{name}").MODALITY
