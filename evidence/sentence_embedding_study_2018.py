"""Bags of words and transformers on similarity, transfer and probing: no one is best everywhere."""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset
from anyview.evaluation.suites.run import Ready, run_suite
from anyview.evaluation.suites.sentences import SUITE
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, over_seeds, pretrained

CLAIM = (
    "Averaged vectors cannot tell whether words changed places, and a transformer can; averaged vectors, pretrained, "
    "tell best which word a sentence has; no encoder is best on every task."
)
BUDGET = 6  #: epochs of the bag; the transformer has half of them
TASKS = ("STS-B", "MR", "length", "word content", "bigram shift")
LEARNED = 20_000  #: sentences of english_corpus
TEST = 1000


def one(budget: int, seed: int) -> Figures:
    corpus = open_data("english_corpus", modality="text")
    order = torch.randperm(len(corpus.train), generator=torch.Generator().manual_seed(0))[:LEARNED]
    data = Dataset("english_corpus", "text", {"train": corpus.train.take(order)})
    _, bag = pretrained("simclr", data, seed, budget, encoder__name="bag-m", batch_size=128)
    network = {
        "encoder__name": "transformer-nano",
        "encoder__dim": 64,
        "encoder__depth": 2,
        "encoder__heads": 4,
    }
    _, deep = pretrained("mae", data, seed, max(1, budget // 2), batch_size=128, length=32, **network)
    models: dict[str, Model] = {
        "untrained bag": bag.untrained(data.train, seed),
        "bag, simclr": bag,
        "untrained transformer": deep.untrained(data.train, seed),
        "transformer, mae": deep,
    }
    suite = replace(SUITE, tasks=tuple(t for t in SUITE.tasks if t.name in TASKS))
    rows: Figures = {}
    for name, model in models.items():
        with tempfile.TemporaryDirectory() as folder:
            score = run_suite(suite, Ready(name, model), Path(folder), at_most=TEST)
        shown = {task: result.figures for task, result in score.results.items()}
        rows[name] = {task: 100 * f["pretrained"].mean for task, f in shown.items()}
        raw = {task: 100 * f["raw"].mean for task, f in shown.items()}
    rows = {"TF-IDF + SVD": raw} | rows
    best = {max(rows, key=lambda name: rows[name][task]) for task in TASKS}
    rows["over all"] = {"best on some task": float(len(best))}
    return rows


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    bag, deep = rows["bag, simclr"], rows["transformer, mae"]
    return Evidence(
        list(rows.values()),
        [
            Check(
                "bigram shift of averages, points from chance", abs(bag["bigram shift"] - 50), 3, below=True
            ),
            Check("bigram shift, transformer above averages", deep["bigram shift"] - bag["bigram shift"], 5),
            Check("word content, averages above transformer", bag["word content"] - deep["word content"], 5),
            Check("encoders that are best on some task", rows["over all"]["best on some task"], 1.5),
        ],
    )
