"""Retrieval of samples of a class against scikit-learn, query by query, whatever the block."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, ndcg_score
from torchmetrics.functional.retrieval import retrieval_hit_rate

from anyview.errors import InputError
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.evaluation.protocols import similar as module
from anyview.evaluation.protocols.similar import ranked_scores


def drawn(samples: int = 60, classes: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    label = torch.randint(classes, (samples,), generator=g)
    x = torch.randn(classes, 6, generator=g)[label] + torch.randn(samples, 6, generator=g)
    return torch.nn.functional.normalize(x.double(), dim=1), label


@pytest.mark.parametrize("block", [2**22, 130])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_scikit_learns(monkeypatch: pytest.MonkeyPatch, seed: int, block: int) -> None:
    monkeypatch.setattr(module, "BLOCK", block)  # two queries at a time
    x, label = drawn(seed=seed)
    label[7] = 99  # alone in its class: it cannot be asked
    found = ranked_scores(x, label)
    asked = [i for i in range(60) if i != 7]
    assert all(len(values) == len(asked) for values in found.values())
    for place, i in enumerate(asked):
        others = [j for j in range(60) if j != i]
        score, hit = (x[i] @ x.T)[others], (label == label[i])[others]
        assert float(found["map"][place]) == pytest.approx(average_precision_score(hit, score))
        ideal = ndcg_score(hit[None].numpy(), score[None].numpy(), k=10)
        assert float(found["ndcg@10"][place]) == pytest.approx(ideal)
        for k in (1, 5, 10):
            assert float(found[f"recall@{k}"][place]) == float(retrieval_hit_rate(score, hit, top_k=k))


def features(x: torch.Tensor, label: torch.Tensor) -> Features:
    return Features(Split(x, label), Split(x, label), Split(x, label))


def test_rows_and_limits() -> None:
    x, label = drawn()
    rows = {r.metric: r.figures["raw"].mean for r in judge({"raw": features(x, label)}, ["similar"])}
    assert list(rows) == ["recall@1", "recall@5", "recall@10", "map", "ndcg@10"]
    alike = torch.eye(5)[torch.arange(60) % 5]
    perfect = judge({"raw": features(alike, torch.arange(60) % 5)}, ["similar"])
    assert [r.figures["raw"].mean for r in perfect] == pytest.approx([1.0] * 5)


def test_an_embedding_that_is_the_same_for_all_finds_by_chance_though_labels_are_in_order() -> None:
    label = torch.arange(600) // 100
    rows = {
        r.metric: r.figures["it"] for r in judge({"it": features(torch.ones(600, 4), label)}, ["similar"])
    }
    assert rows["recall@1"].mean == pytest.approx(99 / 599, abs=0.06)
    assert rows["map"].mean == pytest.approx(99 / 599, abs=0.04)
    assert np.isfinite([f.std for f in rows.values()]).all()


def test_without_two_of_a_class_there_is_nothing_to_find() -> None:
    x, _ = drawn(10)
    known = Split(x, torch.arange(10))
    with pytest.raises(InputError, match="two test samples of a class; all 10 are"):
        judge({"raw": Features(known, known, known)}, ["similar"])
