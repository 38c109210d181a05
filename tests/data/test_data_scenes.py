"""Drawn scenes: what the label says is what is to be seen."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from anyview.data import open as open_data
from anyview.data.images.arrays import in_channels
from anyview.data.images.scenes import BINS, FOCUS, HORIZON, SIDE, TASKS, Scenes, scenes


def drawn(task: str, n: int = 60, seed: int = 0) -> Scenes:
    return TASKS[task](n, torch.Generator().manual_seed(seed))


def things(x: torch.Tensor) -> np.ndarray:
    """Pixels that are brighter than any ground."""
    return (x.amax(0) > 150).numpy()


@pytest.mark.parametrize("task", TASKS)
def test_classes_rise_with_the_quantity_and_the_seed_repeats(task: str) -> None:
    found = drawn(task, 160)
    order = found.value.argsort()
    assert (found.label[order].diff() >= 0).all()
    assert found.label.unique().tolist() == list(range(int(found.label.max()) + 1))
    assert found.label.bincount().min() > 0.2 * found.label.bincount().float().mean()
    again, other = drawn(task, 160), drawn(task, 160, seed=1)
    assert torch.equal(found.x, again.x)
    assert not torch.equal(found.x, other.x)


def test_as_many_things_as_counted() -> None:
    found = drawn("count")
    counted = [ndimage.label(things(x), np.ones((3, 3)))[1] for x in found.x]
    assert counted == found.value.int().tolist()
    assert (found.label + 3).tolist() == counted
    # neither the place nor the brightness of the whole tells the number: sizes differ
    share = np.corrcoef([things(x).sum() for x in drawn("count", 200).x], drawn("count", 200).value)[0, 1]
    assert share < 0.95


def test_a_thing_stands_where_its_class_says() -> None:
    found = drawn("location")
    middle = torch.tensor([np.argwhere(things(x))[:, 1].mean() + 0.5 for x in found.x])
    assert (middle - found.value).abs().max() < 4  # the middle of a shape is not that of its mass
    assert ((middle - 12) / (SIDE - 24) * BINS - found.label - 0.5).abs().max() < 2.5


def test_a_thing_points_along_its_turn() -> None:
    """Along its turn a shape is skewed: a long thin end before, the mass behind; across it is even."""
    found = drawn("orientation", 200)
    along, across = [], []
    for x, turn in zip(found.x, found.value):
        rows, columns = np.argwhere(things(x)).T
        for skews, angle in ((along, float(turn)), (across, float(turn) + np.pi / 2)):
            place = columns * np.cos(angle) + rows * np.sin(angle)
            place = (place - place.mean()) / place.std()
            skews.append((place**3).mean())
    assert np.mean(np.array(along) > 0) > 0.97
    assert abs(np.mean(across)) < 0.2 * np.mean(along)


def test_the_nearest_ball_stands_lowest() -> None:
    found = drawn("distance", 200)
    lowest = torch.tensor([float(np.argwhere(things(x))[:, 0].max() + 1) for x in found.x])
    assert (lowest - (HORIZON + FOCUS / found.value)).abs().max() < 1.5


def test_they_open_by_name_as_another_encoder_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyview.data.images.scenes.BLOCK", 7)
    found = scenes("location", train=20, test=10)
    whole = open_data({name: (part.x, part.y) for name, part in found.splits.items()})
    assert {name: len(source) for name, source in whole.splits.items()} == {"train": 20, "test": 10}
    like = {"shape": [1, 16, 16], "mean": [0.3], "std": [0.2]}
    gray = open_data({"train": (found.first.x, found.first.y)}, modality="image", like=like)
    assert gray.train.fetch(torch.arange(3)).x.shape == (3, 1, 16, 16)
    assert gray.spec["shape"] == [1, 16, 16]


def test_channels_are_pillows() -> None:
    from PIL import Image

    x = torch.randint(256, (5, 3, 4, 4), dtype=torch.uint8)
    theirs = [np.asarray(Image.fromarray(i.permute(1, 2, 0).numpy()).convert("L")) for i in x]
    assert np.array_equal(in_channels(x, 1)[:, 0].numpy(), np.stack(theirs))
    gray = x[:, :1]
    assert torch.equal(in_channels(gray, 3), gray.repeat(1, 3, 1, 1))
    assert in_channels(x, 3) is x
