"""Networks of other libraries by their names: timm's, and the folders of transformers."""

from pathlib import Path
from typing import Any

from anyview import data as data_room
from anyview.encoders import registry
from anyview.encoders.families import Builder
from anyview.errors import InputError
from anyview.modalities import modality
from anyview.modalities.base import Spec
from anyview.training.elsewhere.base import Asked, Origin
from anyview.training.model import Model
from anyview.training.step import seed_step

PUBLISHED, RANDOM = "published", "random"


def load(asked: Asked) -> Model:
    """``timm:resnet18`` with weights from a safetensors file, of its authors (a download) or random ones, or
    ``hf:FOLDER`` with the weights in its folder.

    Raises:
        InputError: when no weights are named, they do not fit, or the data is of another kind.
    """
    name, weights = asked.name, asked.weights
    prefix, _, model = name.partition(":")
    builder = registry.adapters()[prefix]
    kind = modality(builder.modalities[0])
    spec = kind.demanded(name)
    if spec is not None:  # a folder that brings its own tokenizer, and its weights
        if weights not in (None, RANDOM):
            raise InputError(f"{name} has its weights in its folder; leave out weights {weights}")
        seed_step(asked.seed, 0)
        found = Model(kind.encoder(name, spec), kind, spec)
        return found if weights is None else Model(found.fresh(), kind, spec)
    options = _start(name, weights)
    if asked.data is None:
        raise InputError(f"{name} takes the size of its input from data; say which: load({name!r}, data=...)")
    spec = _spec(builder, model, kind.name, asked.data, asked.size, trained=weights != RANDOM)
    seed_step(asked.seed, 0)
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
    side, share = settled.pop("size", None), settled.pop("share", 1.0)
    spec = data_room.open(data, modality=kind, size=side if size is None else size).spec
    if size is None and share < 1:
        spec = spec | {"share": share}
    fits = all(len(spec.get(key, ())) == len(value) for key, value in settled.items())
    return spec | settled if fits else spec  # grey images have one mean, the published three


ORIGIN = Origin(tuple(f"{prefix}:" for prefix in registry.adapters()), load, ("weights", "size"))
