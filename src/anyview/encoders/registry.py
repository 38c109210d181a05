"""Encoders by name: built from a word and a shape, saved to a folder, and built again from it."""

import inspect
import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anyview.encoders.base import Encoder
from anyview.encoders.convnet import ConvNet
from anyview.encoders.resnet import ResNet
from anyview.encoders.timm_adapter import TimmEncoder
from anyview.encoders.token_encoder import TokenEncoder
from anyview.encoders.tokenizers import PatchTokenizer
from anyview.encoders.weights import read_weights, write_weights
from anyview.errors import InputError, unknown
from anyview.files import write_text

CONFIG, WEIGHTS = "config.json", "model.safetensors"
START = ("pretrained", "weights")  #: options that say where weights came from: a saved encoder has its own
Shape = tuple[int, int, int]


def convnet(shape: Shape, *, width: int = 24) -> ConvNet:
    """See ``ConvNet``."""
    return ConvNet(shape[0], width)


def resnet(
    shape: Shape, *, layers: int = 18, width: int = 64, stem: str | None = None, zero_init: bool = True
) -> ResNet:
    """See ``ResNet``; the small stem up to 64 px unless given."""
    stem = stem or ("small" if max(shape[1:]) <= 64 else "standard")
    return ResNet(shape[0], layers, width, stem, zero_init)


def vit(
    shape: Shape,
    *,
    dim: int,
    depth: int,
    heads: int,
    patch: int | None = None,
    mlp_ratio: float = 4.0,
    mixer: str = "attention",
    positions: str = "sincos",
    registers: int = 0,
    pool: str = "mean",
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> TokenEncoder:
    """A ``TokenEncoder`` on image patches; ``patch`` from the image size unless given."""
    return TokenEncoder(
        PatchTokenizer(shape, default_patch(shape) if patch is None else patch, dim),
        depth=depth,
        heads=heads,
        mlp_ratio=mlp_ratio,
        mixer=mixer,
        positions=positions,
        registers=registers,
        pool=pool,
        drop_path=drop_path,
        dropout=dropout,
    )


def timm(shape: Shape, *, model: str, pretrained: bool = False, weights: str | None = None) -> TimmEncoder:
    """See ``TimmEncoder``."""
    return TimmEncoder(model, shape[0], shape[1:], pretrained, weights)


#: name -> builder(shape, **options); its signature is the list of options
BUILDERS: dict[str, Callable[..., Encoder]] = {
    "convnet-s": convnet,
    "convnet-m": partial(convnet, width=64),
    "resnet18": resnet,
    "resnet18-w32": partial(resnet, width=32),
    "resnet34": partial(resnet, layers=34),
    "resnet50": partial(resnet, layers=50),
    "vit-nano": partial(vit, dim=96, depth=4, heads=3),
    "vit-micro": partial(vit, dim=128, depth=6, heads=4),
    "vit-tiny": partial(vit, dim=192, depth=12, heads=3),
    "vit-small": partial(vit, dim=384, depth=12, heads=6),
    "vit-base": partial(vit, dim=768, depth=12, heads=12),
}


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


def names() -> list[str]:
    """Names that ``build`` knows, besides ``timm:NAME`` for any timm model."""
    return list(BUILDERS)


def default_patch(shape: Shape) -> int:
    """Side of a patch for images of this shape: about 36 to 256 tokens for usual sizes."""
    size = max(shape[1:])
    return next((patch for limit, patch in ((12, 2), (48, 4), (128, 8)) if size <= limit), 16)


def build(name: str, shape: Sequence[int], **options: Any) -> Encoder:
    """Builds an untrained encoder for images of ``shape`` ``(channels, height, width)``.

    Raises:
        InputError: for an unknown name or option (with the nearest right one), or values that cannot work.
    """
    builder = BUILDERS.get(name)
    if name.startswith("timm:"):
        builder = partial(timm, model=name.removeprefix("timm:"))
    if builder is None:
        raise unknown("encoder", name, [*BUILDERS, "timm:NAME"])
    if len(shape) != 3 or any(not isinstance(n, int) or n < 1 for n in shape):
        raise InputError(f"encoder {name} takes images of (channels, height, width), not {tuple(shape)}")
    parameters = inspect.signature(builder).parameters
    known = [option for option in parameters if option not in ("shape", "model")]
    for option in options:
        if option not in known:
            raise unknown("option", option, known, where=f"for encoder {name}")
    for option, value in options.items():
        _check(name, option, value, parameters[option].annotation)
    encoder = builder((shape[0], shape[1], shape[2]), **options)
    encoder.config = {"name": name, "shape": list(shape), **options}
    return encoder


def save(encoder: Encoder, folder: str | Path, extra: dict[str, Any] | None = None) -> None:
    """Writes ``config.json`` and ``model.safetensors``; ``load(folder)`` gives the same encoder back.

    Args:
        extra: anything of JSON's types, kept in the config under ``anyview``.

    Raises:
        RunError: when the files cannot be written; files that were there stay whole.
    """
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
    expected = {"name": str, "shape": list, "anyview": dict}
    if (
        not isinstance(config, dict)
        or not all(isinstance(config.get(key, {}), kind) for key, kind in expected.items())
        or not all(isinstance(n, int) for n in config["shape"])
    ):
        raise InputError(f"{path} is no encoder's config: it needs a name and a shape")
    return config
