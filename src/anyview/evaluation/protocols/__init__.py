"""The protocols, one file each, found by lying here, and ``judge``, which holds representations to the same ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from anyview.errors import unknown
from anyview.evaluation.features import Features
from anyview.evaluation.protocols.base import Case, Groups, PairCase, Protocol
from anyview.evaluation.result import Result
from anyview.plugins import modules

#: by the name that users give
PROTOCOLS: dict[str, Protocol] = {
    module.PROTOCOL.name: module.PROTOCOL for module in modules(__name__) if hasattr(module, "PROTOCOL")
}


def judge(
    representations: Mapping[str, Features],
    protocols: Sequence[str] = ("fewshot", "linear", "knn"),
    seed: int = 0,
) -> list[Result]:
    """Judges representations of one dataset by one set of protocols.

    Args:
        representations: ``pretrained``, ``untrained``, ``raw`` ... -> its features; the order is kept.
        protocols: of single samples, not of pairs.

    Returns:
        One result a row of the table, on the test split. Draws and resamples follow ``seed`` and are the same
        for every representation.

    Raises:
        InputError: unknown protocol, missing labels or labels of another kind, one class only, embeddings that
            are not finite.
    """
    return [result for rows in judge_each(representations, protocols, seed).values() for result in rows]


def judge_each(
    representations: Mapping[str, Features], protocols: Sequence[str], seed: int = 0
) -> dict[str, list[Result]]:
    """As ``judge``, by protocol."""
    for name in protocols:
        if name not in PROTOCOLS or PROTOCOLS[name].paired:
            raise unknown("protocol", name, [n for n, p in PROTOCOLS.items() if not p.paired])
    cases: dict[
        Any, dict[str, tuple[Case, Any, Groups | None]]
    ] = {}  # those of one kind of labels share their fits
    rows = {}
    for protocol in dict.fromkeys(protocols):
        parts = PROTOCOLS[protocol].parts
        kind = getattr(parts, "__func__", parts)
        if kind not in cases:
            cases[kind] = {}
            for name, features in representations.items():
                found = parts(name, features)
                cases[kind][name] = Case.of(features, found, seed), found[2].label, Groups.of(found[2].source)
        rows[protocol] = measured(PROTOCOLS[protocol], cases[kind], seed)
    return rows


def judge_pairs(
    cases: Mapping[str, PairCase], protocols: Sequence[str], label: Any = None, seed: int = 0
) -> dict[str, list[Result]]:
    """Results of protocols of pairs on the test split, by protocol.

    Args:
        cases: representation -> its sides, which are finite.
        label: scores or classes of the pairs, where they have some.
    """
    held = {name: (case, label, None) for name, case in cases.items()}
    return {name: measured(PROTOCOLS[name], held, seed) for name in protocols}


def measured(
    protocol: Protocol, cases: Mapping[str, tuple[Any, Any, Groups | None]], seed: int
) -> list[Result]:
    """One result a row: what the protocol answers for each case, against labels and groups it has not seen."""
    found = {}
    for name, (case, label, groups) in cases.items():
        answer = protocol.answer(case)
        if answer is not None:
            found[name] = protocol.measure(answer, label, seed)
            if groups is not None:
                found[name] |= protocol.measure_groups(answer, label, groups, seed)
    rows = dict.fromkeys(key for figures in found.values() for key in figures)
    return [
        Result(row, metric, "test", {name: f[row, metric] for name, f in found.items() if (row, metric) in f})
        for row, metric in rows
    ]
