"""What a network without padding is for: its cells see parts of the image, and nothing else."""

import pytest
import torch
from torch import nn

from anyview.encoders import build
from anyview.encoders.localnet import LocalNet, halvings
from anyview.errors import InputError


@pytest.mark.parametrize(
    ("side", "fine", "coarse", "stride", "field"),
    [
        (8, 3, 1, 2, 8),
        (16, 7, 5, 2, 8),
        (24, 5, 3, 4, 16),
        (32, 7, 5, 4, 16),
        (64, 7, 5, 8, 32),
        (224, 6, 4, 32, 128),
    ],
)
def test_shapes(side, fine, coarse, stride, field):
    encoder = build("localnet-s", (3, side, side), width=4).eval()
    x = torch.randn(2, 3, side, side)
    vector, small, large = encoder.parts(x)
    assert vector.shape == (2, encoder.dim) == (2, 16)
    assert small.shape == (2, 16, fine, fine)
    assert large.shape == (2, 16, coarse, coarse)
    assert (encoder.stride, encoder.field) == (stride, field)
    assert torch.equal(encoder(x), vector)
    tokens = encoder.tokens(x)
    torch.testing.assert_close(tokens.values, large.flatten(2).transpose(1, 2))
    assert torch.equal(encoder.layout(x)[0], tokens.coords)
    assert tokens.coords[1].tolist() == [[r, c] for r in range(coarse) for c in range(coarse)]


@pytest.mark.parametrize(("name", "side"), [("localnet-s", 16), ("localnet-s", 32), ("localnet-m", 32)])
def test_a_cell_depends_on_its_part_of_the_image_alone(name, side):
    encoder = build(name, (3, side, side), width=4).eval()
    x = torch.randn(1, 3, side, side, requires_grad=True)
    _, fine, coarse = encoder.parts(x)
    step = encoder.stride
    for cells, field in ((fine, encoder.field - 2 * step), (coarse, encoder.field)):
        assert field < side
        for row, column in ((0, 0), (2, 1), (-1, -1)):
            (grad,) = torch.autograd.grad(cells[0, :, row, column].square().sum(), x, retain_graph=True)
            top, left = (i % cells.shape[2] * step for i in (row, column))
            seen = torch.zeros(side, side, dtype=torch.bool)
            seen[top : top + field, left : left + field] = True
            assert not grad[0, :, ~seen].any()
            assert grad[0, :, top].any()  # and it reaches its first row and its last
            assert grad[0, :, top + field - 1].any()
    (grad,) = torch.autograd.grad(encoder(x).square().sum(), x)
    assert grad[0].any(0).all()  # the whole image


def test_batch_norm_stands_at_the_end_alone():
    encoder = build("localnet-m", (3, 32, 32), width=4)
    norms = [n for n, m in encoder.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms == ["norm"]
    x = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(encoder.tokens(x).values[:2], encoder.tokens(x[:2]).values)


def test_layers_come_in_the_order_asked_for():
    encoder = build("localnet-s", (3, 32, 32), width=4).eval()
    x = torch.randn(2, 3, 32, 32)
    last, first = encoder.tokens(x, layers=[encoder.depth, 0])
    assert torch.equal(last.values, encoder.tokens(x).values)
    assert first.values.shape == (2, 30 * 30, 4)
    with pytest.raises(InputError, match="no layer 4"):
        encoder.tokens(x, layers=[4])


def test_other_sizes_than_it_was_made_for():
    encoder = build("localnet-s", (3, 21, 30), width=4).eval()
    x = torch.randn(2, 3, 21, 30)
    assert encoder(x).shape == (2, 16)
    assert len(encoder.layout(x)[0][0].unique(dim=0)) == encoder.tokens(x).values.shape[1]


@pytest.mark.parametrize("masked", ["none", "replace"])
def test_gradient_reaches_every_parameter(masked):
    encoder = build("localnet-s", (3, 16, 16), width=4, blocks=2)
    x = torch.randn(4, 3, 16, 16)
    mask = torch.zeros(4, 25, dtype=torch.bool)
    mask[:, 0] = True
    y = encoder(x) if masked == "none" else encoder.tokens(x, mask, "replace").values
    (y * torch.randn_like(y)).sum().backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None] == []
    zero = {n.split(".")[0] for n, p in encoder.named_parameters() if not p.grad.any()}
    # a norm's input may be moved by any constant, so nothing else may be zero in a plain pass
    assert zero <= ({"mask_pixel"} if masked == "none" else {"whole", "norm"})


def test_hidden_cells_hide_their_middles_and_the_border_near_them():
    encoder = LocalNet(1, 16, width=4).eval()
    x = torch.randn(1, 1, 16, 16)
    mask = torch.zeros(1, 25, dtype=torch.bool)
    assert torch.equal(encoder.tokens(x, mask, "replace").values, encoder.tokens(x).values)
    mask[0, [0, 12]] = True  # the corner, and the cell in the middle
    with torch.no_grad():
        encoder.mask_pixel.fill_(7.0)
    hidden = (encoder._hide(x, mask) == 7)[0, 0]
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[:5, :5] = True  # its middle is rows 3 and 4
    expected[7:9, 7:9] = True
    assert torch.equal(hidden, expected)
    assert (encoder._hide(x, torch.ones_like(mask)) == 7).all()


def test_targets_are_the_middles():
    encoder = LocalNet(2, 16, width=4)
    x = torch.randn(3, 2, 16, 16)
    targets = encoder.targets(x)
    assert targets.values.shape == (3, 25, targets.size) == (3, 25, 8)
    patch = x[1, :, 3 + 2 * 2 : 5 + 2 * 2, 3 + 2 * 4 : 5 + 2 * 4]  # row 2, column 4
    assert torch.equal(targets.values[1, 2 * 5 + 4], patch.permute(1, 2, 0).flatten())


def test_bfloat16_is_finite_and_near():
    encoder = build("localnet-s", (3, 16, 16), width=8)
    x = torch.randn(8, 3, 16, 16)
    full = encoder(x)
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder(x)
    half.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())
    assert torch.cosine_similarity(full, half.float()).min() > 0.99


def test_the_map_never_falls_below_five_cells_where_it_has_them():
    for size in range(10, 300):
        cells = size
        for kernel in halvings(size):
            cells = (cells - kernel) // 2 + 1
        assert 5 <= cells <= 12
    assert halvings(14) == [2]
    assert halvings(30) == [4, 2]
    with pytest.raises(InputError, match="4 pixels or more"):
        LocalNet(3, 3)
