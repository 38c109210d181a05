"""Clusters of k-means against brute force, formulas, and what cannot be clustered."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score
from torchmetrics.functional.clustering import adjusted_rand_score, normalized_mutual_info_score

from anyview.errors import InputError
from anyview.evaluation.features import Features, Split, labelled
from anyview.evaluation.metrics import matched
from anyview.evaluation.protocols import PROTOCOLS, judge
from anyview.evaluation.protocols.base import Case
from anyview.evaluation.protocols.clustering import STARTS


def groups(apart: float, samples: int = 120, classes: int = 4) -> Features:
    label = torch.arange(samples) % classes
    centres = torch.randn(classes, 8, generator=torch.Generator().manual_seed(5))
    x = apart * centres[label] + torch.randn(samples, 8)
    return Features(*(Split(x[part], label[part]) for part in torch.arange(samples).tensor_split(3)))


@pytest.mark.parametrize(("clusters", "classes"), [(3, 3), (4, 3), (2, 4)])
def test_the_match_is_the_best_of_all(clusters: int, classes: int) -> None:
    for seed in range(5):
        g = torch.Generator().manual_seed(seed)
        cluster, label = (
            torch.randint(clusters, (40,), generator=g),
            torch.randint(classes, (40,), generator=g),
        )
        width = max(clusters, classes)
        names = [torch.tensor(p)[cluster] for p in itertools.permutations(range(width))]
        assert matched(cluster, label * 7 + 2) == pytest.approx(
            max(float((n == label).double().mean()) for n in names)
        )


def test_scores_are_torchmetrics_over_all_starts() -> None:
    features = groups(1.0)
    found = {r.metric: r.figures["raw"] for r in judge({"raw": features}, ["clustering"])}
    runs = PROTOCOLS["clustering"].answer(Case.of(features, labelled("raw", features), 0))
    assert runs.shape == (STARTS, 40)
    label = features.test.label
    nmi = [float(normalized_mutual_info_score(run, label)) for run in runs]
    ari = [float(adjusted_rand_score(run, label)) for run in runs]
    assert found["nmi"].mean == pytest.approx(np.mean(nmi), abs=1e-5)
    assert found["nmi"].std == pytest.approx(np.std(nmi, ddof=1), abs=1e-5)
    assert found["ari"].mean == pytest.approx(np.mean(ari), abs=1e-5)
    assert found["ari"].n == STARTS
    information = mutual_info_score(label, runs[0])
    entropy = [-sum(p * np.log(p)) for p in (np.bincount(v) / 40 for v in (label, runs[0])) if (p > 0).all()]
    assert nmi[0] == pytest.approx(information / np.mean(entropy), abs=1e-5)


def test_classes_that_lie_apart_are_found_and_noise_is_not() -> None:
    easy = {r.metric: r.figures["raw"].mean for r in judge({"raw": groups(20)}, ["clustering"])}
    assert easy["nmi"] > 0.85  # a start may split one class and join two
    noise = {r.metric: r.figures["raw"].mean for r in judge({"raw": groups(0)}, ["clustering"])}
    assert abs(noise["ari"]) < 0.1
    assert noise["accuracy"] < 0.55


def test_length_does_not_matter_and_a_point_has_no_clusters() -> None:
    features = groups(1.0)
    longer = Split(features.test.x * 3, features.test.label)
    stretched = Features(features.train, features.validation, longer)
    found, same = judge({"raw": features}, ["clustering"]), judge({"raw": stretched}, ["clustering"])
    assert [r.figures["raw"].mean for r in found] == pytest.approx([r.figures["raw"].mean for r in same])
    flat = Features(features.train, features.validation, Split(torch.ones(40, 8), features.test.label))
    rows = {r.metric: r.figures["raw"].mean for r in judge({"raw": flat}, ["clustering"])}
    assert rows["ari"] == 0
    assert rows["accuracy"] == pytest.approx(0.25)
    few = Features(features.train, features.validation, Split(features.test.x[:3], features.test.label[:3]))
    with pytest.raises(InputError, match="a cluster of each of 4 classes, and test has 3 samples"):
        judge({"raw": few}, ["clustering"])
