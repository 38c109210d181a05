"""SupCon against the triple loop of the paper, its limiting cases and its two forms."""

import pytest
import torch
import torch.nn.functional as F

from anyview.errors import InputError
from anyview.objectives import pairwise
from anyview.objectives.contrastive import nt_xent
from anyview.objectives.supervised import supcon

LABELS = torch.tensor([0, 2, 0, 1, 1, 0, 7])


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def triple_loop(z, weight, t, inside=False):
    """Every anchor, positive and member of the denominator, with ``weight[i][p]`` of samples i and p."""
    views, batch, _ = z.shape
    u = F.normalize(z, dim=-1).reshape(views * batch, -1)
    n = len(u)
    terms = []
    for i in range(n):
        total = sum(torch.exp(u[i] @ u[a] / t) for a in range(n) if a != i)
        w = {p: float(weight[i % batch][p % batch]) for p in range(n) if p != i}
        number = sum(w.values())
        if not number:
            terms.append(torch.zeros((), dtype=z.dtype))
        elif inside:
            kept = sum(w[p] * torch.exp(u[i] @ u[p] / t) for p in w if w[p])
            terms.append(-torch.log(kept / total / number))
        else:
            parts = [w[p] * torch.log(torch.exp(u[i] @ u[p] / t) / total) for p in w if w[p]]
            terms.append(-sum(parts) / number)
    return torch.stack(terms).mean()


def same(labels):
    return labels[:, None] == labels


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(pairwise, "BLOCK", 40)
    monkeypatch.setattr(pairwise, "ROWS", 1)
    monkeypatch.setattr(pairwise, "TILE", 5)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("views", [1, 2, 3])
def test_labels_are_the_triple_loop(small_blocks, views, inside):
    z = random(views, 7, 5).requires_grad_()
    got = supcon(z, LABELS, temperature=0.2, inside=inside)
    expected = triple_loop(z, same(LABELS), 0.2, inside)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        *(torch.autograd.grad(x, z)[0] for x in (got, expected)), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("inside", [False, True])
def test_weights_are_the_triple_loop(small_blocks, inside):
    z, weight = random(2, 7, 5), random(7, 7, seed=1).abs()
    weight[weight < 0.5] = 0
    weight[3] = 0  # an anchor without positives
    got = supcon(z, mask=weight, inside=inside)
    torch.testing.assert_close(got, triple_loop(z, weight, 0.1, inside), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("inside", [False, True])
def test_a_mask_of_classes_is_the_labels(inside):
    z = random(2, 7, 5)
    torch.testing.assert_close(
        supcon(z, mask=same(LABELS), inside=inside), supcon(z, LABELS, inside=inside), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("views", [2, 3])
def test_a_class_for_each_sample_is_nt_xent(views):
    z = random(views, 9, 5)
    for labels in (torch.arange(9), torch.full((9,), -1)):  # all different, or all unknown
        torch.testing.assert_close(supcon(z, labels), nt_xent(z, 0.1), rtol=1e-12, atol=1e-12)


def test_unknown_labels_are_no_class():
    z, labels = random(2, 5, 4), torch.tensor([3, -1, 3, -1, 0])
    torch.testing.assert_close(supcon(z, labels), supcon(z, torch.tensor([3, 8, 3, 9, 0])))


def test_one_positive_and_one_negative_is_a_triplet():
    z = random(1, 3, 4)
    u = F.normalize(z[0], dim=-1)
    loss = supcon(z, mask=torch.tensor([[0.0, 1, 0], [0, 0, 0], [0, 0, 0]]), temperature=0.3)
    triplet = F.softplus((u[0] @ u[2] - u[0] @ u[1]) / 0.3)
    assert 3 * loss.item() == pytest.approx(triplet.item(), abs=1e-12)


@pytest.mark.parametrize("inside", [False, True])
def test_no_positive_is_zero_and_not_nan(inside):
    z = random(1, 4, 5).requires_grad_()
    loss = supcon(z, torch.arange(4), inside=inside)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(z.grad, torch.zeros_like(z))


def test_inside_is_at_most_outside():
    for seed in range(20):
        z = random(2, 7, 3, seed=seed)
        assert supcon(z, LABELS, inside=True) < supcon(z, LABELS)


@pytest.mark.parametrize("inside", [False, True])
def test_invariances(inside):
    z = random(2, 7, 5)
    loss = supcon(z, LABELS, inside=inside)
    order = torch.tensor([4, 2, 0, 6, 1, 3, 5])
    renamed = torch.tensor([5, 1, 5, 3, 3, 5, 0])
    for other in (
        supcon(z[:, order], LABELS[order], inside=inside),
        supcon(z, renamed, inside=inside),
        supcon(z.flip(0) * 3, LABELS, inside=inside),
    ):
        torch.testing.assert_close(other, loss, rtol=1e-12, atol=1e-12)
    assert abs(supcon(z, LABELS.flip(0), inside=inside) - loss) > 1e-3


@pytest.mark.parametrize("inside", [False, True])
def test_half_precision_is_computed_in_full(inside):
    z = random(2, 7, 5).bfloat16()
    loss = supcon(z, LABELS, inside=inside)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), supcon(z.double(), LABELS, inside=inside), rtol=1e-5, atol=1e-5)


def test_bad_input_is_refused():
    z = random(2, 7, 5)
    with pytest.raises(InputError, match="either labels or a mask"):
        supcon(z)
    with pytest.raises(InputError, match="either labels or a mask"):
        supcon(z, LABELS, same(LABELS))
    with pytest.raises(InputError, match="given one"):
        supcon(z[:1, :1], LABELS[:1])
    with pytest.raises(InputError, match="temperature must be above"):
        supcon(z, LABELS, temperature=0.0)
