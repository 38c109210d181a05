"""Jigsaw views: put together again they are the crop; order, places and colours are each patch's own."""

import pytest
import torch

from anyview.data.batch import Batch
from anyview.errors import InputError
from anyview.views.image_jigsaw import cut, jigsaw, side_by_side

SPEC = {"shape": [3, 24, 24], "mean": [0.5, 0.4, 0.3], "std": [0.25, 0.2, 0.1]}
PLAIN = {"jitter": 0.0, "grayscale": 0.0, "flip": 0.0, "crop_scale": (1.0, 1.0), "puzzle_scale": (1.0, 1.0)}


def batch(n: int = 6) -> Batch:
    g = torch.Generator().manual_seed(1)
    x = torch.randint(0, 256, (n, 3, 24, 24), dtype=torch.uint8, generator=g)
    return Batch(x, torch.arange(n) + 10)


def unshuffled(view: Batch) -> torch.Tensor:
    """The patches in the order of their cells."""
    return torch.stack([x[order.argsort()] for x, order in zip(view.x, view.meta["order"])])


def test_put_together_again_it_is_the_crop():
    b = batch()
    whole, puzzle = jigsaw(SPEC, patch=8, **PLAIN)(b)
    assert puzzle.x.shape == (6, 9, 3, 8, 8)
    mean, std = (torch.tensor(SPEC[k])[:, None, None] for k in ("mean", "std"))
    expected = (b.x / 255 - mean) / std
    # random_boxes may fall back to the largest crop of an allowed ratio: here that is the whole image
    torch.testing.assert_close(whole.x, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(side_by_side(unshuffled(puzzle)), expected, atol=1e-4, rtol=1e-4)
    assert torch.equal(puzzle.index, b.index)


def test_a_patch_is_what_its_corner_says():
    images = torch.rand(4, 2, 12, 12)
    corner = torch.randint(0, 2, (4, 9, 2))
    patches = cut(images, corner, 3)
    for i in range(4):
        for cell in range(9):
            top, left = cell // 3 * 4 + corner[i, cell, 0], cell % 3 * 4 + corner[i, cell, 1]
            assert torch.equal(patches[i, cell], images[i, :, top : top + 3, left : left + 3])


def test_patches_are_where_meta_says_they_are():
    b = batch()
    _, puzzle = jigsaw(SPEC, patch=6, **PLAIN)(b)
    corner, order = puzzle.meta["corner"], puzzle.meta["order"]
    assert corner.min() == 0
    assert corner.max() == 2  # a patch of 6 has three places in a cell of 8
    mean, std = (torch.tensor(SPEC[k])[:, None, None] for k in ("mean", "std"))
    normalised = (b.x / 255 - mean) / std
    for i in range(len(b)):
        for place, cell in enumerate(order[i].tolist()):
            top, left = cell // 3 * 8 + corner[i, cell, 0], cell % 3 * 8 + corner[i, cell, 1]
            there = normalised[i, :, top : top + 6, left : left + 6]
            torch.testing.assert_close(puzzle.x[i, place], there, atol=1e-4, rtol=1e-4)


def test_every_order_is_a_permutation_and_no_place_is_favoured():
    _, puzzle = jigsaw(SPEC, **PLAIN)(batch(900))
    order = puzzle.meta["order"]
    assert torch.equal(order.sort(1).values, torch.arange(9).expand(900, 9))
    counts = torch.stack([order[:, place].bincount(minlength=9) for place in range(9)])
    assert 50 < counts.min() <= counts.max() < 150  # 100 are expected; five deviations
    assert len(order.unique(dim=0)) > 890


def test_colours_are_of_each_patch_for_itself():
    flat = Batch(torch.full((4, 3, 24, 24), 120, dtype=torch.uint8), torch.arange(4))
    flat.x[:, 0] = 200
    _, puzzle = jigsaw(SPEC, jitter=1.0, grayscale=0.0)(flat)
    means = puzzle.x.mean((3, 4))
    assert (puzzle.x - means[..., None, None]).abs().max() < 1e-3  # every patch is of one colour
    assert all(len(m.round(decimals=3).unique(dim=0)) == 9 for m in means)
    _, plain = jigsaw(SPEC, jitter=0.0, grayscale=0.0)(flat)
    assert len(plain.x.mean((3, 4)).flatten(0, 1).round(decimals=3).unique(dim=0)) == 1


def test_both_views_have_crops_of_their_own():
    whole, puzzle = jigsaw(SPEC)(batch(50))
    assert not torch.equal(whole.meta["box"], puzzle.meta["box"])
    area = puzzle.meta["box"][:, 2:].prod(1) / 24**2
    assert area.min() > 0.5  # 0.6 but for rounding to pixels
    assert 0.2 < puzzle.meta["flip"].double().mean() < 0.8


def test_sizes_follow_the_image_and_the_paper():
    whole, puzzle = jigsaw(SPEC | {"shape": [3, 32, 40]})(
        Batch(torch.zeros(2, 3, 32, 40, dtype=torch.uint8), torch.arange(2))
    )
    assert whole.x.shape == (2, 3, 32, 32)
    assert puzzle.x.shape == (2, 9, 3, 8, 8)  # of cells of 10, as 64 of 85
    _, paper = jigsaw(SPEC, size=224, puzzle_size=255)(batch(1))
    assert paper.x.shape == (1, 9, 3, 64, 64)


def test_the_same_generator_gives_the_same_views():
    views = []
    for _ in range(2):
        torch.manual_seed(5)
        views.append(jigsaw(SPEC)(batch()))
    assert all(torch.equal(a.x, b.x) for a, b in zip(*views))


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="cannot be cut into 3 x 3"):
        jigsaw(SPEC, puzzle_size=25)
    with pytest.raises(InputError, match="patches of 9 pixels"):
        jigsaw(SPEC, patch=9)
    with pytest.raises(InputError, match="expected images"):
        jigsaw(SPEC)(Batch(torch.zeros(2, 1, 24, 24), torch.arange(2)))
