"""One encoder, or one method of pretraining, through the tasks of a suite. What is done is never done again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from anyview.data.source import Dataset
from anyview.encoders.weights import fingerprint
from anyview.errors import InputError, Interrupted
from anyview.evaluation.protocols import PROTOCOLS
from anyview.evaluation.run import check_names, evaluate
from anyview.evaluation.suites.base import Suite, Task, first_of
from anyview.evaluation.suites.score import KEPT, Score, task_file
from anyview.files import write_json
from anyview.modalities import modality
from anyview.training.model import Model
from anyview.training.plan import make_plan


@dataclass
class Ready:
    """An encoder that was trained before; it reads every task as it reads its own data."""

    name: str
    model: Model
    _open: dict[tuple[str, str | None], Dataset] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """All that its figures depend on, in JSON's types."""
        return {"encoder": self.name, "weights": fingerprint(self.model.encoder)}

    def enter(self, task: Task, kind: str, seed: int, folder: Path) -> tuple[Model, Dataset]:
        """The model for a task and the samples it is judged on."""
        if (task.data, task.label) not in self._open:
            self._open.clear()  # seeds of one task follow each other; no more than one set is held
            self._open[task.data, task.label] = task.open(kind, self.model.spec)
        return self.model, task.drawn(self._open[task.data, task.label], seed)


@dataclass
class Learner:
    """A method that pretrains an encoder on the train samples of each task, without their labels."""

    name: str
    budget: dict[str, Any]  #: ``{"epochs": 20}`` or ``{"minutes": 1.0}``
    console: Console | None = None

    def settings(self) -> dict[str, Any]:
        length = " ".join(f"{value:g} {unit}" for unit, value in self.budget.items())
        return {"method": self.name, "budget": length}

    def enter(self, task: Task, kind: str, seed: int, folder: Path) -> tuple[Model, Dataset]:
        from anyview.training.run import finish

        options = {f"training.{unit}": value for unit, value in self.budget.items()}
        dataset = task.open(kind)
        plan = make_plan(self.name, dataset, options=options, seed=seed)
        return finish(plan, folder, console=self.console), task.drawn(dataset, seed)


Entrant = Ready | Learner  #: what is judged


def entrant(
    suite: Suite,
    model: Model | str,
    name: str,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    console: Console | None = None,
) -> Entrant:
    """What takes part in a suite.

    Args:
        model: an encoder, or the name of a method where the suite pretrains.
        name: how it is called.

    Raises:
        InputError: for an encoder of another modality, or a budget that is missing or has no use.
    """
    if isinstance(model, str):
        if (epochs is None) == (minutes is None):
            raise InputError(f"{suite.name} pretrains {model} on each set; give --epochs or --minutes")
        return Learner(model, {"epochs": epochs} if epochs is not None else {"minutes": minutes}, console)
    if epochs is not None or minutes is not None:
        raise InputError(f"{name} is trained already; leave out epochs and minutes")
    if model.modality.name != suite.modality:
        unit = modality(suite.modality).unit
        raise InputError(f"{suite.name} judges encoders of {unit}; {name} reads {model.modality.unit}")
    return Ready(name, model)


def run_suite(
    suite: Suite,
    taking_part: Entrant,
    folder: Path,
    *,
    seeds: int = 1,
    protocol: str | None = None,
    at_most: int | None = None,
    say: Callable[[str], None] = lambda _: None,
    command: str = "",
) -> Score:
    """Judges what is not judged yet, task by task and seed by seed, each beside the same encoder untrained and raw
    features. Validation chooses, test is read once.

    A task that cannot be judged (its data are not there, or the encoder cannot read them) is left out and named.

    Args:
        folder: that was claimed for this suite and entrant (:func:`settings`).
        protocol: in place of ``linear``.
        at_most: test samples, drawn once; None takes all.
        command: what goes on after an interruption, for its message.

    Raises:
        InputError: when no task can be judged.
        RunError: when a pretraining fails.
        Interrupted: after SIGINT or SIGTERM in a pretraining; everything is saved.
    """
    check(suite, seeds, protocol)
    suite, left_out = suite.by(protocol), {}
    for task in suite.tasks:
        for seed in range(seeds):
            path = task_file(folder, task, seed)
            if path.is_file():
                continue
            say(f"{task.name}, seed {seed}" if seeds > 1 else task.name)
            try:
                found = _judged(suite, task, taking_part, path.with_suffix(""), seed, at_most)
            except Interrupted as stopped:
                raise Interrupted(path.with_suffix(""), stopped.step, command) from stopped
            except InputError as error:
                left_out[task.name] = str(error)
                break
            write_json(path, found)
    score = Score.read(suite, folder, taking_part.name, seeds, left_out)
    if not score.results:
        raise InputError(
            f"no task of {suite.name} could be judged; the first one: {next(iter(left_out.values()))}"
        )
    write_json(folder / KEPT, score.record())
    return score


def check(suite: Suite, seeds: int, protocol: str | None) -> None:
    """Raises InputError for what cannot work, before anything is written."""
    if seeds < 1:
        raise InputError(f"seeds is {seeds}; give 1 or more")
    check_names([protocol] if protocol else None)
    if protocol and PROTOCOLS[protocol].paired:
        raise InputError(f"{protocol} judges pairs, so it cannot stand for linear; take one such as knn")
    suite.by(protocol)


def settings(
    suite: Suite, taking_part: Entrant, protocol: str | None = None, at_most: int | None = None
) -> dict[str, Any]:
    """All that must be the same for figures to stand in one folder; seeds may be added."""
    return {
        "suite": suite.name,
        **taking_part.settings(),
        "protocol": protocol or "as the suite says",
        "test samples": at_most or "all",
    }


def _judged(
    suite: Suite, task: Task, taking_part: Entrant, folder: Path, seed: int, at_most: int | None
) -> dict[str, Any]:
    """The figure of one task that counts, and how many samples it stands on."""
    model, dataset = taking_part.enter(task, suite.modality, seed, folder)
    if at_most is not None and "test" in dataset.splits:
        dataset.splits["test"] = first_of(dataset.splits["test"], at_most)
    protocol = task.protocol
    try:
        results = evaluate(model, dataset, protocols=[protocol], seed=seed)
    except InputError:
        if not suite.instead:
            raise
        protocol = suite.instead
        results = evaluate(model, dataset, protocols=[protocol], seed=seed)
    result = next((r for r in results if r.metric == task.metric), None)
    if result is None:
        raise InputError(f"{protocol} has no {task.metric} here; leave it out")
    sizes = {name: len(source) for name, source in dataset.splits.items()}
    return result.record() | {"judged by": protocol, "samples": sizes}
