"""What came out of a suite: a row a task, means of groups, and how often what must be beaten was."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from anyview.evaluation.result import Figure, Result
from anyview.evaluation.suites.base import Suite, Task
from anyview.files import read_json
from anyview.training.folder import slug

KEPT = "suite.json"  #: in the folder: what ``--json`` prints
NORMAL = 1.96  #: half the width of a 95% interval, in standard errors


def task_file(folder: Path, task: Task, seed: int) -> Path:
    return folder / slug(task.name) / f"seed-{seed}.json"


@dataclass(frozen=True)
class Score:
    """The figures of one entrant.

    Attributes:
        results: task -> its result, called by the task's name; of several seeds the mean over them.
        each: task -> the results of every seed.
        about: task -> what it was judged by and on how many samples.
        left_out: task -> why it has no figure.
    """

    suite: Suite
    folder: Path
    name: str
    seeds: int
    results: dict[str, Result]
    each: dict[str, list[Result]]
    about: dict[str, dict[str, Any]]
    left_out: dict[str, str]

    @staticmethod
    def read(suite: Suite, folder: Path, name: str, seeds: int, left_out: dict[str, str]) -> "Score":
        """What lies in the folder of a suite."""
        each, about = {}, {}
        for task in suite.tasks:
            kept = [read_json(task_file(folder, task, seed)) for seed in range(seeds)]
            if task.name not in left_out and None not in kept:
                each[task.name] = [replace(Result.from_record(r), protocol=task.name) for r in kept]
                about[task.name] = {key: kept[0][key] for key in ("judged by", "samples")}
        results = {task: over_seeds(found) for task, found in each.items()}
        return Score(suite, folder, name, seeds, results, each, about, left_out)

    def of_group(self, group: str) -> list[str]:
        """Its tasks that have a figure."""
        return [t.name for t in self.suite.tasks if t.group == group and t.name in self.results]

    def means(self) -> list[Result]:
        """Means over the tasks of each group, over all tasks, and over groups; none over several metrics."""
        groups = [(group, self.of_group(group)) for group in self.suite.groups]
        found = [self._mean(f"mean of {group}", tasks) for group, tasks in groups if len(tasks) > 1]
        rows = [row for row in found if row is not None]
        whole = self._mean("mean of tasks", list(self.results))
        if whole is None or len(groups) < 2:
            return rows
        members = [tasks for _, tasks in groups]
        between = self._mean("mean of groups", *members) if all(members) else None
        return [*rows, whole, *([between] if between else [])]

    def _mean(self, name: str, *groups: list[str]) -> Result | None:
        """The mean over groups of the means over their tasks, of what all tasks have; None for several metrics."""
        tasks = [task for group in groups for task in group]
        if not tasks or len({self.results[t].metric for t in tasks}) > 1:
            return None
        weight = {t: 1 / (len(groups) * len(group)) for group in groups for t in group}
        shared = [
            n for n in self.results[tasks[0]].figures if all(n in self.results[t].figures for t in tasks)
        ]
        figures = {}
        for n in shared:
            if self.seeds > 1:
                runs = [
                    sum(weight[t] * self.each[t][s].figures[n].mean for t in tasks) for s in range(self.seeds)
                ]
                figures[n] = Figure.over(torch.tensor(runs))
            else:
                figures[n] = _sum({t: (weight[t], self.results[t].figures[n]) for t in tasks})
        return Result(name, self.results[tasks[0]].metric, "test", figures)

    def rows(self) -> list[Result]:
        """Tasks, then means."""
        return [*self.results.values(), *self.means()]

    def deviations(self) -> list[str]:
        """Those of the suite, and those of this run."""
        found = list(self.suite.deviations)
        by = {name: about["judged by"] for name, about in self.about.items()}
        other = [t.name for t in self.suite.tasks if by.get(t.name, t.protocol) != t.protocol]
        if other:
            found.append(
                f"this encoder's layers cannot be summed: {', '.join(other)} judged by {self.suite.instead}"
            )
        return found

    def record(self) -> dict[str, Any]:
        """What ``suite --json`` prints and ``suite.json`` keeps."""
        tasks = [
            {"task": t.name, "group": t.group, "data": t.data, "label": t.label, **self.about[t.name]}
            | {key: value for key, value in self.results[t.name].record().items() if key != "protocol"}
            for t in self.suite.tasks
            if t.name in self.results
        ]
        means = [{"mean": r.protocol.removeprefix("mean of ")} | r.record() for r in self.means()]
        return {
            "suite": self.suite.name,
            "encoder": self.name,
            "follows": self.suite.follows,
            "deviations": self.deviations(),
            "seeds": self.seeds,
            "tasks": tasks,
            "means": [{k: v for k, v in row.items() if k != "protocol"} for row in means],
            "left_out": self.left_out,
        }

    def verdict(self, raw_name: str) -> str:
        """On how many tasks it is above what must be beaten, and on how many clearly."""
        parts = [
            part
            for name, shown in (("untrained", "the untrained encoder"), ("raw", raw_name))
            if (part := self._against(name, shown))
        ]
        missing = (
            f" {len(self.left_out)} of {len(self.suite.tasks)} tasks were left out." if self.left_out else ""
        )
        return "; ".join(parts) + "." + missing

    def _against(self, name: str, shown: str) -> str:
        known = [r for r in self.results.values() if {name, "pretrained"} <= set(r.figures)]
        if not known:
            return ""
        above = [r for r in known if r.gain("pretrained", name) > 0]
        won = [r for r in known if r.above("pretrained", name)]
        lost = [r.protocol for r in known if r.above(name, "pretrained")]
        text = f"above {shown} on {len(above)} of {len(known)} tasks, clearly on {len(won)}"
        return text + (f", clearly below on {', '.join(lost)}" if lost else "")


def over_seeds(results: Sequence[Result]) -> Result:
    """The mean of the figures of several seeds; of one its own figure with the sampling error of test."""
    first = results[0]
    if len(results) == 1:
        return first
    values = {name: torch.tensor([r.figures[name].mean for r in results]) for name in first.figures}
    return replace(first, figures={name: Figure.over(v) for name, v in values.items()})


def _sum(parts: dict[str, tuple[float, Figure]]) -> Figure:
    """A weighted sum of figures of independent test sets."""
    mean = sum(w * f.mean for w, f in parts.values())
    std = math.sqrt(sum((w * f.std) ** 2 for w, f in parts.values()))
    return Figure(mean, std, min(f.n for _, f in parts.values()), mean - NORMAL * std, mean + NORMAL * std)
