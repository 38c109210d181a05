"""The visual suite in miniature: three encoders that learned from CIFAR-10 on tasks that they have not seen.

CIFAR-10 itself is left out of the tasks, since pretraining saw its images.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from scipy.stats import spearmanr

from anyview.evaluation.label_sweep import tuned
from anyview.evaluation.suites.run import Ready, run_suite
from anyview.evaluation.suites.visual import SUITE
from evidence.common import Check, Evidence, Figures, cifar10, over_seeds, pretrained, supervised

CLAIM = (
    "Over nine tasks of 1,000 labels that it has not seen, SimCLR on 8,000 images of CIFAR-10 is above the untrained "
    "encoder in the mean of tasks, under one recipe for all; the order by tuning all weights is shown beside."
)
BUDGET = 15  #: epochs
STEPS = 300  #: of supervised training and of tuning
TUNED = ("fashion_mnist", "rsscn7", "location")  #: one of each group
NOTE = "Tasks have at most 1,000 test samples here."


def one(budget: int, seed: int) -> Figures:
    data = cifar10()
    _, simclr = pretrained("simclr", data, seed, budget)
    models = {
        "untrained": simclr.untrained(data.train, seed),
        "supervised on CIFAR-10": supervised(simclr, data, seed, STEPS),
        "simclr": simclr,
    }
    suite = replace(SUITE, tasks=tuple(t for t in SUITE.tasks if t.data != "cifar10"))
    rows: Figures = {}
    for name, model in models.items():
        with tempfile.TemporaryDirectory() as folder:
            score = run_suite(suite, Ready(name, model), Path(folder), at_most=1000)
        means = {r.protocol: r.figures for r in score.means()}
        rows[name] = {head.removeprefix("mean of "): 100 * f["pretrained"].mean for head, f in means.items()}
        raw = {head.removeprefix("mean of "): 100 * f["raw"].mean for head, f in means.items()}
        for task in (t for t in suite.tasks if t.name in TUNED):
            parts = task.drawn(task.open("image", model.spec), seed).splits
            accuracy = tuned(model, parts["train"], parts["test"], STEPS, views="one_view", seed=seed)
            rows[name][f"tuned, {task.name}"] = 100 * accuracy
    linear = [row["tasks"] for row in rows.values()]
    whole = [sum(row[f"tuned, {t}"] for t in TUNED) for row in rows.values()]
    rows["order of encoders"] = {"spearman, linear and tuned": float(spearmanr(linear, whole).statistic)}
    return {"raw pixels": raw} | rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    simclr, untrained = rows["simclr"], rows["untrained"]
    return Evidence(
        list(rows.values()),
        [
            Check("mean of tasks, simclr above untrained", simclr["tasks"] - untrained["tasks"], 1),
            Check("mean of natural, simclr above untrained", simclr["natural"] - untrained["natural"], 1),
        ],
    )
