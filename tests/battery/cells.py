"""What the battery runs on: a few samples of every modality, and methods built for them."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from anyview.data.batch import payload_map
from anyview.data.source import Dataset
from anyview.encoders import registry
from anyview.methods.base import Method
from anyview.modalities import NAMES, modality
from anyview.register import systems
from anyview.training.plan import method_class, obstacle, views_factory

#: modality -> its samples; a file of its name in samples/ holds them
SAMPLES: dict[str, Callable[[], Dataset]] = {
    name: importlib.import_module(f"samples.{name}").samples for name in NAMES
}


def cells() -> list[tuple[str, str]]:
    """Every method with every modality that it runs on."""
    return [(s.id, kind) for s in systems(kind="method") for kind in SAMPLES if obstacle(s, kind) is None]


def representatives() -> list[tuple[str, str]]:
    """Cells for what depends on the method and on the kind of data, but not on how they meet: every method once,
    on images where it can, and every kind of data with one method for each kind of views it can give."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    for system, kind in sorted(cells(), key=lambda cell: cell[1] != "image"):
        first.setdefault(("method", system), (system, kind))
        first.setdefault((kind, method_class(system).needs), (system, kind))
    return list(dict.fromkeys(first.values()))


def double(x):
    """A payload with its fractions in double precision."""
    return payload_map(
        x,
        lambda leaf: (
            leaf
            if isinstance(leaf, torch.Tensor) and not leaf.is_floating_point()
            else leaf.to(torch.float64)
        ),
    )


def build(system: str, kind: str, seed: int = 0, **options) -> tuple[Method, Dataset]:
    """A method on the small samples of a modality, with the encoder that the modality would choose."""
    dataset, cls, m = SAMPLES[kind](), method_class(system), modality(kind)
    factory = views_factory(cls, m)
    taken = inspect.signature(factory).parameters
    views = factory(dataset.spec, **{k: v for k, v in cls.view_defaults.items() if k in taken})
    torch.manual_seed(seed)
    name = m.default_encoder(dataset.spec, len(dataset.train), cls.needs)
    set_by_paper = {k: v for k, v in cls.encoder_defaults.items() if k in registry.options_of(name)}
    encoder = m.encoder(name, dataset.spec, **set_by_paper)
    scaled = cls.scaled(len(dataset.train), 8)
    return cls(encoder, views, **(scaled | options)), dataset


def uncoupled(module: torch.nn.Module) -> torch.nn.Module:
    """Batch norms replaced by norms over each sample alone: batch statistics are the known exception to
    'two processes equal one' and 'cached equals plain'."""
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm1d):
            setattr(module, name, torch.nn.LayerNorm(child.num_features))
        elif isinstance(child, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
            setattr(module, name, torch.nn.GroupNorm(1, child.num_features))
        else:
            uncoupled(child)
    return module


def fixed_masks(coords: torch.Tensor, valid: torch.Tensor, ratio: float, **options) -> torch.Tensor:
    """In place of random masks: the same tokens of every sample, whichever process it is in and whatever is
    beside it. The first token is always visible."""
    place = torch.arange(coords.shape[1])
    return ((place * 7 + 3) % 11 < 11 * ratio) & (place > 0) & valid
