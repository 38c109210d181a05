"""Calibration and the worst class: against torchmetrics and by hand, from one fit of the linear layer."""

import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from anyview.evaluation.features import Features, Labelled, Split
from anyview.evaluation.metrics import BINS, calibration_error, metric
from anyview.evaluation.protocols import judge
from anyview.evaluation.protocols import linear as linear_module
from anyview.evaluation.protocols.linear import Linear
from anyview.evaluation.protocols.worst import worst_share


@pytest.fixture(scope="module")
def features() -> Features:
    g = torch.Generator().manual_seed(0)
    label = torch.tensor([0] * 6 + [1] * 3 + [2]).repeat(60)
    x = torch.randn(3, 6, generator=g)[label] + torch.randn(600, 6, generator=g)
    return Features(*(Split(x[i::3], label[i::3]) for i in range(3)))


@pytest.mark.parametrize("seed", range(4))
def test_calibration_error_is_torchmetrics(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    p = (2 * torch.randn(500, 4, generator=g)).softmax(1)
    label = torch.randint(4, (500,), generator=g)
    wanted = multiclass_calibration_error(p, label, 4, n_bins=BINS, norm="l1")
    assert calibration_error(p.max(1).values, p.argmax(1) == label) == pytest.approx(float(wanted), abs=1e-5)


def test_calibration_by_hand() -> None:
    sure = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])
    right = torch.tensor([True, True, True, False, False, False])
    assert calibration_error(sure, right) == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.5)
    assert calibration_error(torch.ones(5), torch.ones(5, dtype=torch.bool)) == 0
    assert not metric("ece").higher


def test_rows_come_from_the_fit_of_the_linear_layer_which_is_made_once(
    features: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    start = Linear.__init__

    def counted(self, *args):
        made.append(1)
        start(self, *args)

    monkeypatch.setattr(linear_module.Linear, "__init__", counted)
    found = {
        r.protocol: r.figures["raw"] for r in judge({"raw": features}, ["linear", "calibration", "worst"])
    }
    assert len(made) == 1
    linear = Linear(*(Labelled(s.x, s.label) for s in (features.train, features.validation)))
    p, label = linear.probabilities(features.test.x), features.test.label
    assert torch.equal(p.argmax(1), linear(features.test.x)[0])
    torch.testing.assert_close(p.sum(1), torch.ones(200, dtype=torch.float64))
    wanted = float(multiclass_calibration_error(p, label, 3, n_bins=BINS))
    assert found["calibration"].mean == pytest.approx(wanted, abs=1e-5)
    each = multiclass_accuracy(p.argmax(1), label, 3, average=None)
    assert found["worst"].mean == pytest.approx(float(each.min()))
    assert found["worst"].mean <= found["linear"].mean


def test_the_interval_of_a_shifted_statistic_lies_about_it(features: Features) -> None:
    for result in judge({"raw": features}, ["calibration", "worst"]):
        figure = result.figures["raw"]
        assert figure.low < figure.mean < figure.high


def test_the_worst_share_is_that_of_a_group_which_is_there() -> None:
    correct = torch.tensor([True, False, True, True])
    assert worst_share(correct, torch.tensor([0, 0, 3, 3])) == 0.5
    assert worst_share(correct, torch.zeros(4, dtype=torch.int64)) == 0.75
