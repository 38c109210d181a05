"""What a network that is only called is given, by the modality of the data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anyview import data as data_room
from anyview.data.batch import Payload
from anyview.data.source import Dataset
from anyview.encoders.foreign import ForeignEncoder, on_cpu
from anyview.errors import InputError
from anyview.modalities import Modality, modality
from anyview.training.elsewhere.base import Asked, scaled
from anyview.training.model import Model, Spec


def called(
    asked: Asked, kind: Modality, spec: Spec, call: Callable[..., Any], arguments: Callable[[Payload], tuple]
) -> Model:
    """A model of a function, asked once about the first samples of the data."""
    x = first(data_room.open(asked.data, modality=kind.name, like=spec))
    sides = kind.sides(x)
    probe = kind.inputs(sides[0] if sides else x, spec)
    return Model(ForeignEncoder(asked.title, call, arguments, probe), kind, spec)


def first(dataset: Dataset) -> Payload:
    """The first two samples."""
    source = next(iter(dataset.splits.values()))
    return source.fetch(torch.arange(min(2, len(source)))).x


def of_file(asked: Asked, call: Callable[..., Any]) -> Model:
    """The model of a network in a file, which takes pixels, or numbers of tokens by the tokenizer beside it.

    Raises:
        InputError: for data of another kind, texts without a tokenizer, or pixels without a normalisation.
    """
    opened = asked.opened()
    kind = modality(opened.modality)
    spec, arguments = kind.given_to_files(opened.spec, Path(asked.name).parent)
    if spec is not opened.spec:
        return called(asked, kind, spec, call, arguments)
    if not isinstance(kind.inputs(first(opened), spec), Tensor):
        raise InputError(
            f"{asked.name} can read images, volumes, videos and texts here, not {kind.name}; embed them where it was "
            "made and give the vectors as a Parquet file, or call it from Python"
        )
    if asked.normalise is None:
        raise InputError(
            f"say how the pixels that {asked.name} takes are normalised: --normalise imagenet, half (-1 to 1), none "
            "(0 to 1) or data (by mean and deviation of the data)"
        )
    return called(asked, kind, scaled(spec, asked.normalise), call, arguments)


def of_function(asked: Asked, function: Callable[..., Any]) -> Model:
    """The model of a Python function: it is given a list of texts, an array of samples of one size (pixels from 0 to
    1 unless ``normalise`` says otherwise), a list of recordings of varying length, or a dict of columns."""
    opened = asked.opened()
    kind = modality(opened.modality)
    pixels = len(opened.spec.get("shape", ())) >= 3 and isinstance(opened.spec.get("mean"), list)
    spec = scaled(opened.spec, asked.normalise or ("none" if pixels else "data"))
    spec, given = kind.given_to_functions(spec)
    here = (lambda x: x) if isinstance(function, nn.Module) else on_cpu
    return called(asked, kind, spec, function, lambda x: (given(here(x)),))
