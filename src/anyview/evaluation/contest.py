"""Several methods on one dataset: one budget, one encoder, one protocol, several seeds. Each run is a run folder of
its own; what is done is never done again."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from anyview.data.source import Dataset, Source
from anyview.errors import InputError, Interrupted, RunError
from anyview.evaluation.features import Features, Split
from anyview.evaluation.kept import claim
from anyview.evaluation.protocols import judge
from anyview.evaluation.result import Result
from anyview.evaluation.run import check_names, default_protocols, evaluate, open_splits
from anyview.evaluation.verdict import BASELINES
from anyview.files import read_json, write_json, write_text
from anyview.methods.base import Method
from anyview.modalities import modality
from anyview.training.model import Model
from anyview.training.plan import Plan, make_plan, method_class, open_for

FIGURES = "compared.json"  #: of a run in a contest; ``evaluation.json`` is anybody's to make again
WATCHED = 4000  #: samples that quality is judged on while a run is on its way


@dataclass(frozen=True)
class Contest:
    """What is compared, and how.

    Attributes:
        dataset: with train, validation and test; test is read once a run, at its end.
        budget: of each run: ``{"minutes": 3.0}`` or ``{"epochs": 20}``.
        options: of all methods by name, or of one by ``METHOD.name``.
        protocols: the first row of ``linear`` (else the first of all) decides.
    """

    dataset: Dataset
    methods: tuple[str, ...]
    seeds: int
    encoder: str
    budget: Mapping[str, Any]
    options: Mapping[str, Any]
    protocols: tuple[str, ...]

    def plan(self, method: str, seed: int) -> Plan:
        own = {k.removeprefix(f"{method}."): v for k, v in self.options.items() if k.startswith(f"{method}.")}
        shared = {k: v for k, v in self.options.items() if k.partition(".")[0] not in self.methods}
        length = {f"training.{name}": value for name, value in self.budget.items()}
        return make_plan(method, self.dataset, options=shared | own | length, encoder=self.encoder, seed=seed)

    def settings(self) -> dict[str, Any]:
        """All that must be the same for two runs to be compared."""
        return {
            "data": self.dataset.name,
            "splits": {name: len(source) for name, source in self.dataset.splits.items()},
            "encoder": self.encoder,
            "budget": " ".join(f"{value:g} {name}" for name, value in self.budget.items()),
            "options": dict(self.options),
            "protocols": list(self.protocols),
        }


def make_contest(
    data: Any,
    methods: Sequence[str],
    *,
    seeds: int = 3,
    minutes: float | None = None,
    epochs: int | None = None,
    encoder: str | None = None,
    protocols: Sequence[str] | None = None,
    modality_name: str | None = None,
    label: str | None = None,
    size: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Contest:
    """Opens the data, cuts off what is judged on, and plans every method once. Writes nothing.

    Args:
        minutes: wall-clock time of each run; or
        epochs: passes of each run over the samples: the same number of samples seen.
        encoder: of all methods; None takes the modality's default, the one for tokens when a method needs them.

    Raises:
        InputError: for anything that cannot work, with the method that it would not work for.
    """
    if len(methods) < 1 or seeds < 1:
        raise InputError(
            "compare needs at least one method and one seed, such as: --methods simclr byol --seeds 3"
        )
    if (minutes is None) == (epochs is None):
        raise InputError("compare needs one budget for all: give minutes or epochs")
    check_names(protocols)
    methods = tuple(dict.fromkeys(methods))
    classes = [method_class(name) for name in methods]
    dataset = open_for(encoder or "", data, modality_name=modality_name, label=label, size=size)
    kind = modality(dataset.modality)
    needs = [cls.encoder_for or cls.needs for cls in classes]
    need = "tokens" if "tokens" in needs else needs[0]
    encoder = encoder or kind.default_encoder(dataset.spec, len(dataset.pretraining), need)
    budget = {"minutes": minutes} if minutes is not None else {"epochs": epochs}
    contest = Contest(dataset, methods, seeds, encoder, budget, options or {}, ())
    for name in options or {}:
        owner = name.partition(".")[0]
        if owner not in (*methods, "views", "encoder", "optimizer", "training", "method") and "." in name:
            raise InputError(f'option "{name}" is of none of the methods compared ({", ".join(methods)})')
    plans = [contest.plan(name, 0) for name in methods]
    first = Model(plans[0].method.encoder, plans[0].modality, plans[0].spec)
    splits = open_splits(first, dataset)  # cut before anything is trained
    if "train" not in splits:
        raise InputError(f"compare pretrains, and {dataset.name} has only a test split; give train data too")
    judged = tuple(protocols or default_protocols(first, splits["test"]))
    return replace(contest, dataset=replace(dataset, splits=splits), protocols=judged)


def begin(contest: Contest, folder: Path) -> None:
    """Makes the folder, or checks that what it holds was made alike; methods and seeds may be added.

    Raises:
        InputError: when it holds something else.
    """
    claim(folder, contest.settings(), "contest.json", "comparison")


def run_contest(
    contest: Contest,
    folder: Path,
    *,
    console: Console | None = None,
    say: Callable[[str], None] = lambda _: None,
    command: str = "",
) -> Iterator[tuple[Path, list[Result]]]:
    """Trains and judges what is not there yet, seed by seed, and gives each run folder as it is done.

    A run that fails (numbers gone bad, collapse with ``stop_on_collapse``) is entered in its ``failed.txt`` and the
    next one begins.

    Args:
        command: what goes on after an interruption, for its message.

    Raises:
        Interrupted: after SIGINT or SIGTERM; everything is saved.
    """
    jobs = [(seed, method) for seed in range(contest.seeds) for method in contest.methods]
    for place, (seed, method) in enumerate(jobs):
        run = run_folder(folder, method, seed)
        if (run / FIGURES).is_file() or (run / "failed.txt").is_file():
            continue
        say(f"{method}, seed {seed} ({place + 1} of {len(jobs)})")
        try:
            results = _one(contest, folder, method, seed, console)
            write_json(run / FIGURES, [r.record() for r in results])
            yield run, results
        except Interrupted as stopped:
            raise Interrupted(run, stopped.step, command) from stopped
        except RunError as error:
            say(f"{method}, seed {seed} failed: {error}")
            write_text(run / "failed.txt", f"{error}\n")


def run_folder(folder: Path, method: str, seed: int) -> Path:
    return folder / method / f"seed-{seed}"


def _one(contest: Contest, folder: Path, method: str, seed: int, console: Console | None) -> list[Result]:
    """One run from its plan, or from where it was, to its figures beside the baselines."""
    from anyview.training.looks import Looks
    from anyview.training.run import finish

    run = run_folder(folder, method, seed)
    plan = contest.plan(method, seed)

    def watched() -> list[Looks]:
        first = Model(plan.method.encoder, plan.modality, plan.spec)
        if not Watch.possible(plan.dataset, first):
            return []
        watch = Watch(plan)
        if not (folder / "levels.json").is_file():
            write_json(folder / "levels.json", {"protocol": watch.protocol} | watch.levels(first, seed))
        return [Looks(run / "quality.json", watch)]

    model = finish(plan, run, console=console, beside=watched)
    kept = Baselines(folder / "baselines.json", seed, model.encoder.config)
    found = evaluate(
        model, contest.dataset, protocols=contest.protocols, seed=seed, beside=kept.missing(BASELINES)
    )
    return kept.beside(found)


class Watch:
    """Judges an encoder on its way, on a part of train and validation: nearest neighbours of classes, ridge
    regression of numbers."""

    def __init__(self, plan: Plan) -> None:
        self.plan, dataset = plan, plan.dataset
        draw = torch.Generator().manual_seed(0)
        train, held = (
            source.take(torch.randperm(len(source), generator=draw)[:WATCHED].sort().values)
            for source in (dataset.train, dataset.splits["validation"])
        )
        fifth = torch.arange(len(train)) % 5 == 0
        self.parts = {
            "train": train.take((~fifth).nonzero()[:, 0]),
            "validation": train.take(fifth.nonzero()[:, 0]),
            "test": held,
        }
        assert train.label is not None
        self.protocol = "regression" if train.label.is_floating_point() else "knn"

    @staticmethod
    def possible(dataset: Dataset, model: Model) -> bool:
        """Not of pairs, nor without labels: then there is nothing quick to judge by."""
        labelled = "validation" in dataset.splits and dataset.train.label is not None
        return labelled and not model.pairs(dataset.train)

    def __call__(self, method: Method) -> float | None:
        now = Model(method.encoder, self.plan.modality, self.plan.spec)
        return self.quality(partial(now.embed_source, device=self.plan.device.type))

    def quality(self, embed: Callable[[Source], Tensor]) -> float | None:
        """None where embeddings are not finite: the step that follows will say so."""
        x = {name: embed(part) for name, part in self.parts.items()}
        if not all(rows.isfinite().all() for rows in x.values()):
            return None
        train, choose, test = (Split(x[name], part.label) for name, part in self.parts.items())
        features = Features(train, choose, test)
        return judge({"it": features}, (self.protocol,))[0].figures["it"].mean

    def levels(self, model: Model, seed: int) -> dict[str, float | None]:
        """The same of what an encoder must beat."""
        train = self.parts["train"]
        embeds = {"untrained": model.untrained(train, seed).embed_source, "raw": model.raw(train)}
        return {name: self.quality(embed) for name, embed in embeds.items()}


class Baselines:
    """Figures of raw features (one for all) and of the untrained encoder (one a seed and encoder), kept in a file."""

    def __init__(self, path: Path, seed: int, encoder: dict[str, Any]) -> None:
        self.path = path
        self.key = {"untrained": json.dumps([seed, encoder], sort_keys=True), "raw": "raw"}
        self.kept: dict[str, list[Any]] = read_json(path, {})

    def missing(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self.key[name] not in self.kept]

    def beside(self, results: Sequence[Result]) -> list[Result]:
        """The results with all baselines; those that are new are kept."""
        for name in self.missing(list(self.key)):
            own = [
                Result(r.protocol, r.metric, r.split, {name: r.figures[name]})
                for r in results
                if name in r.figures
            ]
            self.kept[self.key[name]] = [r.record() for r in own]
        write_json(self.path, self.kept)
        found = {(r.protocol, r.metric): dict(r.figures) for r in results}
        for name, key in self.key.items():
            for record in self.kept[key]:
                row = Result.from_record(record)
                found[row.protocol, row.metric][name] = row.figures[name]
        return [Result(r.protocol, r.metric, r.split, found[r.protocol, r.metric]) for r in results]
