"""Where a patch of one crop stands in another."""

import torch

from anyview.encoders.correspondence import Gathering, in_crop, in_image, interpolate, one_per_window
from anyview.encoders.positions import grid
from anyview.views.image_pipeline import random_boxes

COORDS = grid((8, 8), torch.device("cpu")).expand(5, -1, -1)
CELLS = (8.0, 8.0)


def crops(n: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    return random_boxes(n, 40, 50, (0.2, 1.0), (3 / 4, 4 / 3)), torch.rand(n) < 0.5


def test_one_token_of_every_window_each_as_often() -> None:
    coords = COORDS[:1].expand(3000, -1, -1)
    drawn = one_per_window(coords, 3)
    assert drawn.shape == (3000, 9)
    row, column = drawn // 8, drawn % 8
    window = row // 3 * 3 + column // 3
    assert (window == torch.arange(9)).all()
    share = torch.bincount(drawn.flatten(), minlength=64) / 3000
    size = torch.bincount(window.new_tensor([r // 3 * 3 + c // 3 for r in range(8) for c in range(8)]))
    expected = 1 / size[(torch.arange(8)[:, None] // 3 * 3 + torch.arange(8) // 3).flatten()]
    assert (share - expected).abs().max() < 0.05


def test_the_same_crop_is_the_identity_and_a_mirrored_one_mirrors() -> None:
    box, flip = crops()
    places = in_image(COORDS, CELLS, box, flip)
    back, inside = in_crop(places, CELLS, box, flip)
    torch.testing.assert_close(back, COORDS)
    assert inside.all()
    back, _ = in_crop(places, CELLS, box, ~flip)
    torch.testing.assert_close(back[..., 0], COORDS[..., 0])
    torch.testing.assert_close(back[..., 1], 7 - COORDS[..., 1])


def test_places_are_pixels_of_the_image() -> None:
    box = torch.tensor([[10, 20, 16, 8]])
    places = in_image(COORDS[:1], CELLS, box, torch.tensor([False]))
    assert places[0, 0].tolist() == [11.0, 20.5]
    assert places[0, -1].tolist() == [25.0, 27.5]
    assert in_image(COORDS[:1], CELLS, box, torch.tensor([True]))[0, 0].tolist() == [11.0, 27.5]


def test_inside_is_what_the_box_holds() -> None:
    a, b = torch.tensor([[0, 0, 16, 16]]), torch.tensor([[8, 4, 8, 8]])
    straight = torch.tensor([False])
    places = in_image(COORDS[:1], CELLS, a, straight)
    _, inside = in_crop(places, CELLS, b, straight)
    row, column = places[0].unbind(-1)
    assert torch.equal(inside[0], (row >= 8) & (row <= 16) & (column >= 4) & (column <= 12))


def test_interpolation_is_exact_at_patches_and_linear_between() -> None:
    values = torch.randn(5, 64, 4)
    torch.testing.assert_close(interpolate(values, COORDS, COORDS), values)
    slope = COORDS @ torch.tensor([[2.0], [-1.0]])
    at = 7 * torch.rand(5, 11, 2)
    torch.testing.assert_close(interpolate(slope, COORDS, at), at @ torch.tensor([[2.0], [-1.0]]))
    corner = interpolate(values, COORDS, torch.full((5, 1, 2), -0.5))
    torch.testing.assert_close(corner[:, 0], values[:, 0])


def test_gathering_asks_all_patches_in_any_order() -> None:
    layer, patches, queries = Gathering(8, 2), torch.randn(3, 6, 8), torch.randn(3, 2, 8)
    one = layer(queries, patches)
    torch.testing.assert_close(layer(queries, patches.flip(1)), one)
    assert not torch.allclose(layer(queries, patches[:, :5]), one)
