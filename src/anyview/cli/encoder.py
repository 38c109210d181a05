"""The encoder that a command is given: one of a run, or one that was made elsewhere."""

import argparse
from collections.abc import Iterable

from anyview.api import load
from anyview.cli.common import Parser
from anyview.training.elsewhere import OPTIONS
from anyview.training.model import Model

#: what may stand where an encoder is wanted
ENCODER = (
    "a run folder or saved encoder, timm:NAME, hf:FOLDER, st:FOLDER, .pt, .onnx, or vectors (.parquet, .npy)"
)


HELP = {
    "weights": "of timm:NAME: a safetensors file, published (a download) or random",
    "size": "of timm:NAME and files: side in pixels (default: as its weights were trained)",
    "normalise": "of .pt and .onnx: pixels by imagenet, half (-1 to 1), none (0 to 1) or data",
    "id": "of vectors: the column that joins them to the data (default: the order of rows)",
}


def elsewhere_options(p: Parser, names: Iterable[str] = OPTIONS) -> None:
    """What must be said of an encoder that was made elsewhere."""
    for name in names:
        p.add_argument(f"--{name}", type=int if name == "size" else str, help=HELP[name])


def load_encoder(found: argparse.Namespace) -> Model:
    """The encoder that a command was given as ``run``, for its ``data``."""
    given = {name: getattr(found, name) for name in OPTIONS}
    return load(found.run, found.data, **given)
