"""Encoders by name: built from a word and what a sample is, saved to a folder, and built again from it."""

import inspect
import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anyview.encoders.base import Encoder
from anyview.encoders.families import Builder, Input
from anyview.encoders.weights import read_weights, write_weights
from anyview.errors import InputError, unknown
from anyview.files import write_text
from anyview.plugins import modules

CONFIG, WEIGHTS = "config.json", "model.safetensors"
START = ("pretrained", "weights")  #: options that say where weights came from: a saved encoder has its own


def builders(modality: str | None = None) -> dict[str, Builder]:
    """All builders by name, or those that can read a modality."""
    found = {k: v for module in modules("anyview.encoders.families") for k, v in module.BUILDERS.items()}
    return {k: v for k, v in found.items() if modality is None or {"any", modality} & set(v.modalities)}


def adapters(modality: str | None = None) -> dict[str, Builder]:
    """All adapters to other libraries by prefix, or those that can read a modality."""
    families = modules("anyview.encoders.families")
    found = {k: v for module in families for k, v in getattr(module, "ADAPTERS", {}).items()}
    return {k: v for k, v in found.items() if modality is None or modality in v.modalities}


def names(modality: str | None = None) -> list[str]:
    """Names that ``build`` knows, of all modalities or of one; ``timm:NAME`` stands for any of timm's."""
    return [*builders(modality), *(f"{prefix}:NAME" for prefix in adapters(modality))]


def _check(name: str, option: str, value: Any, kind: Any) -> None:
    """Raises InputError when ``value`` is not of ``kind`` (a builder's annotation) or no possible number."""
    accepted = kind | int if kind is float else kind
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        wanted = getattr(kind, "__name__", kind)
        raise InputError(f"option {option} of encoder {name} cannot be {value!r}: it is {wanted}")
    least = 0 if isinstance(value, float) or option in ("registers", "drop_path", "dropout") else 1
    if number and not least <= value < math.inf:
        raise InputError(f"option {option} of encoder {name} cannot be {value}")


def build(name: str, input: Input | Sequence[int], **options: Any) -> Encoder:
    """Builds an untrained encoder.

    Args:
        name: one of ``names()``.
        input: what a network must know of a sample, with its ``modality`` (see ``Modality.input``), in JSON's
            types. A mere ``(channels, height, width)`` stands for images of that shape.

    Raises:
        InputError: for an unknown name or option (with the nearest right one), or values that cannot work.
    """
    input = dict(input) if isinstance(input, dict) else {"modality": "image", "shape": list(input)}
    kind = input["modality"]
    prefix, colon, model = name.partition(":")
    builder = adapters().get(prefix) if colon else builders().get(name)
    if builder is None:
        raise unknown("encoder", name, names(kind))
    if not {"any", kind} & set(builder.modalities):
        able = " or ".join(builder.modalities)
        raise InputError(f"encoder {name} reads {able}, not {kind}; take one of: {', '.join(names(kind))}")
    function = partial(builder.build, model=model) if colon else builder.build
    parameters = inspect.signature(function).parameters
    known = [option for option in parameters if option not in ("input", "model")]
    for option in options:
        if option not in known:
            raise unknown("option", option, known, where=f"for encoder {name}")
    for option, value in options.items():
        _check(name, option, value, parameters[option].annotation)
    encoder = function(input, **options)
    settled = getattr(encoder, "config", {})  # what a builder found out by itself, such as an architecture
    encoder.config = {"name": name, "input": input, **options, **settled}
    return encoder


def options_of(name: str) -> list[str]:
    """Names of the options that the builder of this encoder takes; none for an unknown encoder."""
    prefix, colon, _ = name.partition(":")
    builder = adapters().get(prefix) if colon else builders().get(name)
    parameters = inspect.signature(builder.build).parameters if builder else {}
    return [option for option in parameters if option not in ("input", "model")]


def save(encoder: Encoder, folder: str | Path, extra: dict[str, Any] | None = None) -> None:
    """Writes ``config.json`` and ``model.safetensors``; ``load(folder)`` gives the same encoder back.

    Args:
        extra: anything of JSON's types, kept in the config under ``anyview``.

    Raises:
        InputError: for a network that cannot be built again here.
        RunError: when the files cannot be written; files that were there stay whole.
    """
    if "input" not in encoder.config:
        raise InputError(
            f"{encoder.config['name']} was made elsewhere and is kept there; it cannot be saved here"
        )
    config = {k: v for k, v in encoder.config.items() if k not in START}
    text = json.dumps(config | ({"anyview": extra} if extra else {}), indent=2) + "\n"
    write_weights(encoder, Path(folder) / WEIGHTS)
    write_text(Path(folder) / CONFIG, text)


def load(folder: str | Path) -> tuple[Encoder, dict[str, Any]]:
    """The encoder saved in ``folder``, in eval mode on the CPU, and the ``extra`` it was saved with.

    Raises:
        InputError: when a file is missing, broken, or the weights do not fit the config.
    """
    config = read_config(folder)
    extra = config.pop("anyview", {})
    encoder = build(**{k: v for k, v in config.items() if k not in START})
    read_weights(encoder, Path(folder) / WEIGHTS)
    return encoder.eval(), extra


def read_config(folder: str | Path) -> dict[str, Any]:
    """The ``config.json`` of a saved encoder, ``extra`` under ``anyview`` included.

    Raises:
        InputError: when it is missing or is no encoder's config.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise InputError(f"{folder} holds no encoder: {CONFIG} is missing")
    try:
        config = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error})") from error
    expected = {"name": str, "input": dict, "anyview": dict}
    if (
        not isinstance(config, dict)
        or not all(
            isinstance(config.get(key, {} if key == "anyview" else None), kind)
            for key, kind in expected.items()
        )
        or not isinstance(config["input"].get("modality"), str)
    ):
        raise InputError(f"{path} is no encoder's config: it needs a name and an input with its modality")
    return config
