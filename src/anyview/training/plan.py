"""What will be done, fully resolved and checked, before anything is written."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import anyview.data as data_room
from anyview import register
from anyview._version import __version__
from anyview.data.source import Dataset, Source
from anyview.encoders import registry
from anyview.errors import InputError
from anyview.methods.base import Method
from anyview.modalities import NAMES, Modality, modality
from anyview.training.config import Config, check_options, option_parser, plain
from anyview.training.gather import launched
from anyview.training.optim import with_defaults
from anyview.training.options import OptimizerOptions, TrainingOptions
from anyview.training.precision import pick_device, pick_precision
from anyview.training.schedule import Budget, default_batch_size, default_epochs
from anyview.training.step import seed_step

#: samples that a method may see before it trains
PREPARED = 256


@dataclass
class Plan:
    """A run that has not started: configuration, data, and the method built from them."""

    config: Config
    dataset: Dataset
    modality: Modality
    spec: dict[str, Any]  # of the samples as the encoder sees them
    method: Method
    training: TrainingOptions
    optimizer: OptimizerOptions
    device: torch.device

    @property
    def name(self) -> str:
        return self.config["method"]["name"]

    @property
    def seed(self) -> int:
        return self.config["seed"]

    @property
    def batch_size(self) -> int:
        assert self.training.batch_size is not None
        return self.training.batch_size

    @property
    def source(self) -> Source:
        """What the method trains on."""
        return trained_on(type(self.method), self.dataset)

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.source) // self.batch_size)

    def budget(self) -> Budget:
        if self.training.minutes is not None:
            return Budget(None, self.training.minutes)
        assert self.training.epochs is not None
        return Budget(self.training.epochs * self.steps_per_epoch, None)

    def lines(self) -> list[tuple[str, str]]:
        """What a person reads before training: data, method, budget."""
        encoder, parameters = self.method.encoder, sum(p.numel() for p in self.method.encoder.parameters())
        count = f"{parameters / 1e6:.1f} M" if parameters >= 50_000 else f"{parameters / 1e3:.0f} k"
        length = (
            f"{self.training.minutes:g} min"
            if self.training.minutes is not None
            else f"{counted(self.training.epochs, 'epoch')} of {counted(self.steps_per_epoch, 'step')}"
        )
        cores = counted(torch.get_num_threads(), "core") if self.device.type == "cpu" else str(self.device)
        facts = [self.dataset.name, self.modality.describe(self.dataset.spec), *self.dataset.describe()]
        if self.source.label is not None:
            used = type(self.method).uses_labels
            facts.append("labels used by the method" if used else "labels hidden from pretraining")
        return [
            ("data", " · ".join(facts)),
            (
                "method",
                f"{self.name} · {self.method.needs.replace('_', ' ')} · encoder {encoder.config['name']} "
                f"({count} parameters) · {cores}, {self.training.precision}",
            ),
            ("budget", f"{length} · batch {self.batch_size} · seed {self.seed}"),
        ]


def counted(n: int | None, noun: str) -> str:
    """``1 epoch``, ``20 epochs``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def method_class(name: str) -> type[Method]:
    """The class of the pretraining system called ``name``; InputError for a wrong name."""
    return register.method(name).target


def trained_on(method: type[Method], dataset: Dataset) -> Source:
    """The samples a method trains on: all that pretraining may read, or those that have the classes it needs.

    Raises:
        InputError: when the method needs classes and the data has none.
    """
    if not method.uses_labels:
        return dataset.pretraining
    label = dataset.train.label
    if label is None or label.is_floating_point():
        system = method.system_id  # type: ignore[attr-defined]
        raise InputError(
            f"{system} trains on classes, and {dataset.name} has none; name their column with --label, or take a "
            "method that needs none, such as simclr"
        )
    return dataset.train


def views_factory(method: type[Method], kind: Modality) -> Any:
    """What makes the views this method needs of this modality.

    Raises:
        InputError: when the modality cannot; the message names those that can.
    """
    try:
        return kind.views_for(method.needs)
    except InputError as error:
        able = [n for n in NAMES if method.needs in modality(n).views]
        system = method.system_id  # type: ignore[attr-defined]
        others = f"modalities that can: {', '.join(able) or 'none yet'}"
        raise InputError(f"{system} needs {method.needs.replace('_', ' ')}, and {error}; {others}") from None


def obstacle(system: register.System, kind: str) -> str | None:
    """Why a method does not run on a modality, in words; None when it does."""
    if not {"any", kind} & set(system.modalities):
        return f"it is made for {' and '.join(system.modalities)} data, not {kind}"
    try:
        modality(kind).views_for(system.target.needs)
    except InputError as error:
        return str(error)
    return None


def open_for(
    encoder: str,
    data: Any,
    *,
    modality_name: str | None = None,
    label: str | None = None,
    size: int | None = None,
    like: dict[str, Any] | None = None,
) -> Dataset:
    """Opens data as ``anyview.open`` does, and in the way an encoder demands that brings its own, such as a tokenizer.

    Args:
        encoder: its name; empty for none.

    Raises:
        InputError: as ``anyview.open``, or when what the encoder brings cannot be read.
    """
    dataset = data_room.open(data, modality=modality_name, label=label, size=size, like=like)
    kind = modality(dataset.modality)
    if like is None and data is not dataset and (demanded := kind.demanded(encoder)) is not None:
        return data_room.open(data, modality=kind.name, label=label, size=size, like=demanded)
    return dataset


def make_plan(
    method: str,
    data: Any,
    *,
    options: Mapping[str, Any] | None = None,
    encoder: str | None = None,
    seed: int = 0,
    modality_name: str | None = None,
    label: str | None = None,
    size: int | None = None,
    like: dict[str, Any] | None = None,
) -> Plan:
    """Opens the data, resolves every option and builds the method. Writes nothing.

    Args:
        method: name of a system of kind method.
        data: whatever ``anyview.open`` takes.
        options: values by name, short (``temperature``) or full (``method.temperature``).
        encoder: name of the encoder; None lets the modality choose.
        seed: of weights, order, views and masks.
        like: spec of data opened before; this data is read as that was.

    Raises:
        InputError: one line, for anything that cannot work.
    """
    cls = method_class(method)
    wanted = str(encoder or (options or {}).get("encoder.name", ""))
    dataset = open_for(wanted, data, modality_name=modality_name, label=label, size=size, like=like)
    kind = modality(dataset.modality)
    factory = views_factory(cls, kind)
    given = dict(options or {})
    if encoder is not None:
        given["encoder.name"] = encoder
    parser = option_parser(cls, factory)
    sections, encoder_options = check_options(parser, given, method)
    chosen = {k.split(".")[-1] for k in given}

    source = trained_on(cls, dataset)
    samples = len(source)
    if samples < 2:
        raise InputError(
            f"{dataset.name} has {samples} sample to train on; pretraining compares samples and needs two or more"
        )
    training = _resolved(
        TrainingOptions(**sections["training"]), samples, kind.batch_size(dataset.spec, samples)
    )
    device = pick_device(training.device)

    optimizer = with_defaults(OptimizerOptions(**sections["optimizer"]))

    accepted = inspect.signature(factory).parameters
    view_options = sections["views"] | {
        k: v for k, v in cls.view_defaults.items() if k in accepted and k not in chosen
    }
    views = factory(dataset.spec, **view_options)
    spec = kind.seen(dataset.spec, view_options)
    name = encoder_options.pop("name", None) or kind.default_encoder(
        spec, samples, cls.encoder_for or cls.needs
    )
    offered = registry.options_of(name)
    encoder_options = {k: v for k, v in cls.encoder_defaults.items() if k in offered} | encoder_options
    seed_step(seed, 0)
    network = kind.encoder(name, spec, **encoder_options)
    assert training.batch_size is not None
    method_options = sections["method"]
    for key, value in cls.scaled(samples, training.batch_size).items():
        if method_options.get(key) is None:
            method_options[key] = value
    built = cls(network, views, **method_options)
    _prepare(built, source, seed)
    _try(built, source)
    training = replace(training, device=device.type, precision=pick_precision(training.precision, device))  # type: ignore[arg-type]

    config = plain(
        {
            "anyview": __version__,
            "method": {"name": method, **method_options},
            "data": {
                "path": _path(data),
                "modality": dataset.modality,
                "label": label,
                "size": size,
            },
            "encoder": network.config,
            "views": {"needs": cls.needs, **view_options},
            "optimizer": vars(optimizer),
            "training": vars(training),
            "seed": seed,
        }
    )
    return Plan(config, dataset, kind, spec, built, training, optimizer, device)


def plan_from_config(config: Config, data: Any = None, like: dict[str, Any] | None = None) -> Plan:
    """The plan that a run folder's ``config.yaml`` describes.

    Args:
        like: the spec that its ``data.json`` keeps; the data is read as it was then.
        data: needed when the run was started on data in memory, which has no path.
    """
    data = config["data"]["path"] if data is None else data
    if data is None:
        raise InputError("this run was started on data in memory; pass the same data again")
    options = {
        f"{section}.{key}": value
        for section in ("method", "views", "optimizer", "training")
        for key, value in config[section].items()
        if (section, key) not in {("method", "name"), ("views", "needs")}
    }
    encoder = {k: v for k, v in config["encoder"].items() if k != "input"}
    options |= {f"encoder.{k}": v for k, v in encoder.items()}
    return make_plan(
        config["method"]["name"],
        data,
        options=options,
        seed=config["seed"],
        modality_name=config["data"]["modality"],
        label=config["data"]["label"],
        size=config["data"]["size"],
        like=like,
    )


def _prepare(method: Method, source: Source, seed: int) -> None:
    """Shows the method samples of the data, when it wants to see some before it trains."""
    if type(method).prepare is Method.prepare:
        return
    pick = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:PREPARED]
    method.prepare(method.make_views(source.fetch(pick.sort().values)))


def _try(method: Method, source: Source) -> None:
    """One step on a few samples, without gradient: a value that cannot work shows before anything is written."""
    with torch.no_grad():
        views = method.eval().make_views(source.fetch(torch.arange(min(4, len(source)))))
        method.loss(**method(views))
    method.train()


def _path(data: Any) -> str | None:
    if isinstance(data, str | Path):
        return str(Path(data).resolve()) if Path(data).exists() else str(data)
    return None


def _resolved(training: TrainingOptions, samples: int, usual: int | None = None) -> TrainingOptions:
    """Fills in what depends on the number of samples, and checks what is left.

    Raises:
        InputError: for a length or size that cannot work.
    """
    if training.epochs is not None and training.minutes is not None:
        raise InputError("give epochs or minutes, not both")
    if (training.minutes is not None and not 0 < training.minutes < math.inf) or (
        training.epochs is not None and training.epochs < 1
    ):
        raise InputError(
            "a run needs at least one epoch or some minutes; --epochs 1 or --minutes 0.5 are short ones"
        )
    batch = training.batch_size or usual or default_batch_size(samples)
    if batch < 2:
        raise InputError(f"batch size {batch} leaves nothing to compare; two is the least")
    batch = min(batch, samples)
    processes = launched(training.devices)[1]
    if batch % processes:
        raise InputError(f"batch size {batch} does not divide among {processes} processes")
    epochs = training.epochs
    if epochs is None and training.minutes is None:
        epochs = default_epochs(samples, batch)
    return replace(training, batch_size=batch, epochs=epochs)
