"""What a step costs, without a clock: passes of networks, tokens that they see, calls of torch, sizes of tensors."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from anyview.data import open as open_data
from anyview.evaluation import neighbours
from anyview.evaluation.features import Labelled
from anyview.evaluation.protocols import knn
from anyview.objectives import pairwise
from anyview.objectives.contrastive import dcl, nt_xent
from anyview.objectives.distillation import distillation
from anyview.objectives.pairs import pair_nce, pair_sigmoid
from anyview.objectives.queries import in_batch_info_nce
from anyview.objectives.regression import negative_cosine
from anyview.objectives.supervised import supcon
from anyview.objectives.transport import sinkhorn
from anyview.objectives.variance import barlow_twins, vicreg
from anyview.training.plan import make_plan
from anyview.training.step import as_terms
from anyview.views import image as views

SPEC = {"shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.25] * 3}


class Ledger(TorchDispatchMode):
    """Calls of torch's kernels, and the most elements of a tensor that one of them gave."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.largest = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.calls += 1
        self.largest = max(
            [self.largest, *(x.numel() for x in tree_leaves(out) if isinstance(x, torch.Tensor))]
        )
        return out


def pixels(count: int) -> torch.Tensor:
    return torch.randint(
        0, 255, (count, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def step(method: str, count: int = 8, **options):
    """A method and its views of a batch."""
    plan = make_plan(method, pixels(64), options=options)
    torch.manual_seed(0)
    return plan.method, plan.method.make_views(open_data(pixels(count)).train.fetch(torch.arange(count)))


def total(found) -> torch.Tensor:
    """A loss of one term or several."""
    return sum(as_terms(found).values())


def seen(module: torch.nn.Module, place=lambda given: given[0]) -> list[torch.Size]:
    """Fills itself with the shapes that a module is called with."""
    found: list[torch.Size] = []
    module.register_forward_pre_hook(lambda _, given: found.append(place(given).shape))
    return found


# ---- views: kernels on whole batches, not Python by sample


@pytest.mark.parametrize("make", ["two_views", "multi_view", "multi_crop", "plain_view"])
def test_views_call_torch_as_often_for_many_images_as_for_few(make):
    pipeline = getattr(views, make)(SPEC)
    calls = {}
    for count in (16, 128):
        batch = open_data(pixels(count)).train.fetch(torch.arange(count))
        torch.manual_seed(0)
        with Ledger() as ledger:
            pipeline(batch)
        calls[count] = ledger.calls
    assert calls[128] <= 1.1 * calls[16]


# ---- networks: one pass for views of one size, and of what is visible alone


@pytest.mark.parametrize("method", ["simclr", "vicreg", "barlow-twins", "byol"])
def test_both_views_go_through_the_network_together(method):
    built, made = step(method)
    shapes = seen(built.encoder)
    built(made)
    assert shapes == [(16, 3, 16, 16)]


def test_crops_of_one_size_go_through_the_network_together():
    built, made = step("dino", **{"local_count": 4, "local_size": 8})
    student, teacher = seen(built.encoder), seen(built.teacher.module[0])
    built(made)
    assert Counter(student) == {(16, 3, 16, 16): 1, (32, 3, 8, 8): 1}
    assert teacher == [(16, 3, 16, 16)]


@pytest.mark.parametrize("method", ["mae", "i-jepa", "dbot"])
def test_the_network_does_not_see_what_is_hidden(method):
    built, made = step(method)
    tokens = built.encoder.layout(made[0].x)[1].shape[1]
    shapes = seen(built.encoder.trunk)
    built(made)
    assert len(shapes) == 1
    assert shapes[0][1] < 0.6 * tokens


def test_a_step_is_as_many_calls_for_many_samples_as_for_few():
    calls = {}
    for count in (16, 128):
        built, made = step("simclr", count)
        with Ledger() as ledger:
            total(built.loss(**built(made))).backward()
        calls[count] = ledger.calls
    assert calls[128] <= 1.1 * calls[16]


# ---- losses: blocks of a table of all pairs


@pytest.mark.parametrize(
    "loss",
    [
        nt_xent,
        dcl,
        lambda z: pair_nce(z, torch.tensor(5.0), 0.1),
        lambda z: pair_sigmoid(z, torch.tensor(5.0), torch.tensor(-3.0)),
        lambda z: in_batch_info_nce(z, z.flip(0)),
        lambda z: supcon(z, torch.arange(z.shape[1]) % 10),
    ],
    ids=["nt_xent", "dcl", "pair_nce", "pair_sigmoid", "in_batch_info_nce", "supcon"],
)
def test_no_loss_holds_the_table_of_all_pairs(loss):
    n = 4096
    z = torch.randn(2, n, 8, requires_grad=True)
    with Ledger() as ledger:
        total(loss(z)).backward()
    assert z.grad.abs().sum() > 0
    assert ledger.largest <= max(pairwise.BLOCK, 2 * pairwise.ROWS * n) <= n * n // 8


@pytest.mark.parametrize("loss", [vicreg, barlow_twins], ids=["vicreg", "barlow_twins"])
def test_decorrelation_holds_no_table_of_samples(loss):
    z = torch.randn(2, 4096, 16, requires_grad=True)
    with Ledger() as ledger:
        total(loss(z)).backward()
    assert ledger.largest <= 2 * z.numel()


def test_an_assignment_holds_little_besides_the_scores():
    scores = torch.randn(2, 8192, 300)
    with Ledger() as ledger:
        sinkhorn(scores, 0.05, 3)
    assert ledger.largest == scores.numel()  # the codes themselves


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: distillation(z, z[:2].softmax(-1), 0.1),
        lambda z: negative_cosine(z, z),
        vicreg,
        nt_xent,
        lambda z: sinkhorn(z.detach()).sum() + z.sum(),
    ],
    ids=["distillation", "negative_cosine", "vicreg", "nt_xent", "sinkhorn"],
)
def test_losses_call_torch_as_often_for_many_samples_as_for_few(loss):
    calls = {}
    for count in (16, 128):
        z = torch.randn(2, count, 8, requires_grad=True)
        with Ledger() as ledger:
            total(loss(z)).backward()
        calls[count] = ledger.calls
    assert calls[16] == calls[128]


# ---- judging: a chunk of queries at a time


@pytest.mark.parametrize("able", [True, False])
def test_neighbours_hold_a_chunk_of_similarities(able, monkeypatch):
    for name, value in {
        "BLOCK": 50_000,
        "WORTH": 0,
        "has_bf16": lambda device: able,
    }.items():
        monkeypatch.setattr(neighbours, name, value)
    train, validation = (Labelled(torch.randn(n, 8), torch.arange(n) % 3) for n in (2000, 100))
    found = knn.KNN(train, validation)
    with Ledger() as ledger:
        found(torch.randn(1500, 8))
    assert ledger.largest <= 50_000
