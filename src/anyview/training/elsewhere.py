"""Encoders that were made elsewhere, as models that the same commands judge: timm's networks, transformers' folders."""

from pathlib import Path
from typing import Any

from anyview import data as data_room
from anyview.encoders import registry
from anyview.encoders.families import Builder
from anyview.errors import InputError
from anyview.modalities import modality
from anyview.modalities.base import Spec
from anyview.training.model import Model, untrained_encoder
from anyview.training.step import seed_step

PUBLISHED, RANDOM = "published", "random"


def named(name: str | Path) -> bool:
    """Whether this names an encoder of another library, such as ``timm:resnet18`` or ``hf:FOLDER``."""
    prefix, colon, rest = str(name).partition(":")
    return bool(colon and rest) and prefix in registry.adapters()


def from_elsewhere(
    name: str, data: Any = None, *, weights: str | None = None, size: int | None = None, seed: int = 0
) -> Model:
    """An encoder of another library as a model.

    Args:
        name: ``timm:resnet18``, or ``hf:FOLDER`` for what transformers or sentence-transformers saved.
        data: what it is to read; a network that brings no description of its input takes it from there.
        weights: for what comes without: a safetensors file; ``published``, which downloads what the network's
            authors published; or ``random``.
        size: side in pixels at which images are read; None is that of the published weights.
        seed: of random weights.

    Raises:
        InputError: when no weights are named, they do not fit, or the data is of another kind.
    """
    prefix, _, model = name.partition(":")
    builder = registry.adapters()[prefix]
    kind = modality(builder.modalities[0])
    spec = kind.demanded(name)
    if spec is not None:  # a folder that brings its own tokenizer, and its weights
        if weights not in (None, RANDOM):
            raise InputError(f"{name} has its weights in its folder; leave out weights {weights}")
        seed_step(seed, 0)
        encoder = kind.encoder(name, spec)
        return Model(encoder if weights is None else untrained_encoder(encoder), kind, spec)
    options = _start(name, weights)
    if data is None:
        raise InputError(f"{name} takes the size of its input from data; say which: load({name!r}, data=...)")
    spec = _spec(builder, model, kind.name, data, size, trained=weights != RANDOM)
    seed_step(seed, 0)
    return Model(kind.encoder(name, spec, **options), kind, spec)


def _start(name: str, weights: str | None) -> dict[str, Any]:
    """Options that say where the weights of a network come from."""
    if weights == RANDOM:
        return {}
    if "weights" not in registry.options_of(name):
        raise InputError(f"no weights can be read for {name}; only --weights random can be judged")
    if weights is None:
        raise InputError(
            f"{name} comes without weights; name a safetensors file with --weights, or --weights published to "
            "download its authors', or --weights random"
        )
    if weights == PUBLISHED:
        return {"pretrained": True}
    if not Path(weights).expanduser().is_file():
        raise InputError(f"there is no file {weights} with weights for {name}")
    return {"weights": str(Path(weights).expanduser())}


def _spec(builder: Builder, model: str, kind: str, data: Any, size: int | None, trained: bool) -> Spec:
    """What samples look like to a network: as its weights saw them, else as the data is."""
    settled = dict(builder.published(model)) if builder.published and trained else {}
    side = settled.pop("size", None)
    spec = data_room.open(data, modality=kind, size=side if size is None else size).spec
    fits = all(len(spec.get(key, ())) == len(value) for key, value in settled.items())
    return spec | settled if fits else spec  # grey images have one mean, the published three
