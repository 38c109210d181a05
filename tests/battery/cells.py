"""What the battery runs on: a few samples of every modality, and methods built for them."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))

from anyview.data.batch import payload_map
from anyview.data.source import Dataset
from anyview.encoders import registry
from anyview.methods.base import Method
from anyview.modalities import NAMES, modality
from anyview.register import systems
from anyview.training.callbacks import Relabel
from anyview.training.plan import method_class, obstacle, views_factory
from anyview.training.precision import channels_last
from anyview.training.step import seed_step

#: options of encoders that make a step quick; what is tested does not depend on width
NARROW = {"width": 8, "dim": 32, "depth": 2, "heads": 2}

#: numbers of views; more cost more and show nothing new
FEW = {"count": 4, "local_count": 2}

#: modality -> its samples, opened once; a file of its name in samples/ holds them
SAMPLES: dict[str, Callable[[], Dataset]] = {
    name: functools.cache(importlib.import_module(f"samples.{name}").samples) for name in NAMES
}


@functools.cache
def cells() -> list[tuple[str, str]]:
    """Every method with every modality that it runs on."""
    return [(s.id, kind) for s in systems(kind="method") for kind in SAMPLES if obstacle(s, kind) is None]


def representatives(favourite: str = "image") -> list[tuple[str, str]]:
    """Cells for what depends on the method and on the kind of data, but not on how they meet: every method once,
    on the ``favourite`` where it can, and every kind of data with one method for each kind of views it can give
    (SimCLR for two views)."""
    methods: dict[str, tuple[str, str]] = {}
    kinds: dict[tuple[str, str], tuple[str, str]] = {}
    for system, kind in sorted(cells(), key=lambda cell: (cell[1] != favourite, cell[0] != "simclr")):
        methods.setdefault(system, (system, kind))
        if method_class(system).needs != "one_view":  # which is what any network sees of the sample
            kinds.setdefault((kind, method_class(system).needs), (system, kind))
    return list(dict.fromkeys([*methods.values(), *kinds.values()]))


def with_each_encoder() -> list[tuple[str, str]]:
    """Of the representatives one for each encoder that a modality would choose."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    for system, kind in sorted(representatives(), key=lambda cell: cell[0] != "simclr"):
        first.setdefault((kind, default_encoder(system, kind)), (system, kind))
    return list(first.values())


def once() -> list[tuple[str, str]]:
    """Cells for what the loop keeps, which is the method's and the kind's: every method once, on tables where it can,
    whose steps are the quickest, and every kind of data once."""
    first: dict[str, tuple[str, str]] = {}
    for system, kind in sorted(cells(), key=lambda cell: (cell[1] != "table", cell[0] != "simclr")):
        first.setdefault(system, (system, kind))
        first.setdefault(kind, (system, kind))
    return list(dict.fromkeys(first.values()))


def meetings() -> list[tuple[str, str]]:
    """Cells for what several processes do, which sees embeddings and not data: every method once, and every kind
    of data with one method that compares samples and one that does not."""
    first: dict[tuple, tuple[str, str]] = {}
    for system, kind in sorted(cells(), key=lambda cell: cell[1] != "image"):
        first.setdefault((system,), (system, kind))
        first.setdefault((kind, method_class(system).couples_samples), (system, kind))
    return list(dict.fromkeys(first.values()))


def default_encoder(system: str, kind: str) -> str:
    """The name of the encoder that the modality would choose."""
    dataset, cls = SAMPLES[kind](), method_class(system)
    return modality(kind).default_encoder(dataset.spec, len(dataset.train), cls.encoder_for or cls.needs)


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


def build(
    system: str, kind: str, seed: int = 0, encoder_options: dict[str, Any] = NARROW, **options
) -> tuple[Method, Dataset]:
    """A method on the small samples of a modality, with the encoder that the modality would choose, made narrow
    unless ``encoder_options`` say otherwise."""
    dataset, cls, m = SAMPLES[kind](), method_class(system), modality(kind)
    factory = views_factory(cls, m)
    taken = inspect.signature(factory).parameters
    views = factory(dataset.spec, **{k: v for k, v in (cls.view_defaults | FEW).items() if k in taken})
    seed_step(seed, 0)
    name = default_encoder(system, kind)
    encoder = m.encoder(name, dataset.spec, **_set_of(name, cls, encoder_options))
    scaled = cls.scaled(len(dataset.train), 8)
    method = channels_last(cls(encoder, views, **(scaled | options)))
    if cls.before_epoch is not Method.before_epoch:  # as the loop does before the first step
        whole = Relabel(dataset.train, lambda x: m.inputs(x, dataset.spec), 1)
        method.before_epoch(lambda network=None: whole.embed(method, network or method.encoder))
    return method, dataset


def narrow(system: str, kind: str) -> dict[str, Any]:
    """What ``build`` chooses, as options of a plan."""
    cls, m = method_class(system), modality(kind)
    name = default_encoder(system, kind)
    encoder = {"encoder.name": name} | {f"encoder.{k}": v for k, v in _set_of(name, cls, NARROW).items()}
    taken = inspect.signature(views_factory(cls, m)).parameters
    return encoder | {f"views.{k}": v for k, v in FEW.items() if k in taken}


def _set_of(name: str, cls: type[Method], options: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (options | cls.encoder_defaults).items() if k in registry.options_of(name)}


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


def fixed_masks(
    coords: torch.Tensor, valid: torch.Tensor, ratio, chance: float = 1.0, **options
) -> torch.Tensor:
    """In place of random masks: the same tokens of every sample, whichever process it is in and whatever is
    beside it. The first token is always visible."""
    place = torch.arange(coords.shape[1])
    share = max(ratio) if isinstance(ratio, tuple) else ratio
    return ((place * 7 + 3) % 11 < 11 * share) & (place > 0) & valid


def fixed_noise(like: torch.Tensor) -> torch.Tensor:
    """In place of random numbers: the same for every sample."""
    one = torch.linspace(-1, 1, like[0].numel()).to(like)
    return one.view(like.shape[1:]).expand_as(like)


def fixed_blocks(coords: torch.Tensor, valid: torch.Tensor, *, blocks: int = 4, **options):
    """In place of ``multi_block``: the same blocks and the same context for every sample."""
    place = torch.arange(coords.shape[1])
    target = torch.stack([(place % (blocks + 1) == k + 1) & valid for k in range(blocks)], 1)
    return target, (place % (blocks + 1) == 0) & valid
