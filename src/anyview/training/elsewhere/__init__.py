"""Encoders that were made elsewhere, as models that the same commands judge: a file an origin, found by lying here."""

from pathlib import Path
from typing import Any

from anyview.errors import InputError
from anyview.plugins import modules
from anyview.training.elsewhere.base import Asked, Origin
from anyview.training.model import Model

OPTIONS = ("weights", "size", "normalise", "id")


def origins() -> dict[str, Origin]:
    """By prefix (``timm:``), by ending (``.onnx``), or ``function``."""
    found = [module.ORIGIN for module in modules(__name__) if hasattr(module, "ORIGIN")]
    return {key: origin for origin in found for key in origin.keys}


def named(name: Any) -> bool:
    """Whether this is an encoder that was made elsewhere: ``timm:resnet18``, ``vectors.parquet``, a function."""
    return _key(name) in origins()


def _key(name: Any) -> str:
    if callable(name):
        return "function"
    prefix, colon, rest = str(name).partition(":")
    if colon and rest and f"{prefix}:" in origins():
        return f"{prefix}:"
    return "" if Path(name).is_dir() else Path(name).suffix.lower()


def from_elsewhere(name: Any, data: Any = None, *, seed: int = 0, **options: Any) -> Model:
    """An encoder that was made elsewhere as a model.

    Args:
        name: ``timm:NAME``, ``hf:FOLDER``, ``st:FOLDER``, a file of TorchScript or ONNX, a file of vectors, or a
            function; see ``docs/evaluation.md``.
        data: what it is to read; a network that brings no description of its input takes it from there.
        seed: of random weights.
        options: ``weights``, ``size``, ``normalise``, ``id``, where its origin takes them.

    Raises:
        InputError: when an option is no use here, or it cannot be loaded or does not fit the data.
    """
    origin = origins()[_key(name)]
    asked = Asked(name if callable(name) else str(name), data, seed=seed, **options)
    for option in OPTIONS:
        if getattr(asked, option) is not None and option not in origin.options:
            able = ", ".join(f"--{o}" for o in origin.options)
            raise InputError(
                f"{asked.title} takes no --{option}; " + (f"it takes {able}" if able else "leave it out")
            )
    model = origin.load(asked)
    model.precision = "fp32"  # figures that its makers published are of this
    return model
