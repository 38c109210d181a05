"""Health of any encoder: collapses made on purpose are named, sound embeddings are left in peace."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import anyview as av
from anyview.cli.main import main
from anyview.evaluation.health import measured
from anyview.training.symptoms import of_embedding

DRAW = np.random.default_rng(0)
N, DIM = 300, 32
POINTS = DRAW.normal(size=(N, DIM))
DATA = np.random.default_rng(1).integers(0, 256, (N, 4, 4), dtype=np.uint8)
DEAD = np.arange(DIM) < 20

BROKEN = {
    "constant": (np.ones((N, DIM)), "every sample has the same embedding", True),
    "zero": (np.zeros((N, DIM)), "every sample has the same embedding", True),
    "noise about a point": (1 + 1e-5 * POINTS, "every sample has the same embedding", True),
    "one way": (10 + 0.5 * POINTS, "points one way", False),
    "a line": (POINTS[:, :1] * POINTS[:1], "along a line", True),
    "few directions": (
        POINTS[:, :1] * POINTS[:1] + 0.02 * POINTS[:, 1:2] * POINTS[1:2],
        "along a line",
        True,
    ),
    "dead dimensions": (np.where(DEAD, 0.3, POINTS), "62 % of its dimensions are the same", False),
    "three points": (POINTS[DRAW.integers(0, 3, N)] + 1e-4 * POINTS, "share a point with another", False),
}
SOUND = {
    "gaussian": POINTS,
    "off the origin": POINTS + 2,
    "on the sphere": POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True),
    "after a ReLU": np.maximum(POINTS - 0.5, 0),
    "falling spectrum": POINTS / np.arange(1, DIM + 1),
    "clusters": POINTS[DRAW.integers(0, 10, N)] + 0.3 * POINTS,
    "large": 1e6 * POINTS,
    "two dimensions": POINTS[:, :2],
    "some constant": np.where(np.arange(DIM) < 10, 1.0, POINTS),
}


def table(x):
    """A function that gives these rows for the images of ``DATA``."""
    rows = {image.tobytes(): torch.from_numpy(row).float() for image, row in zip(DATA, x)}

    def look_up(images):
        pixels = (images[:, 0] * 255).round().byte().numpy()
        return torch.stack([rows[image.tobytes()] for image in pixels])

    return look_up


@pytest.mark.parametrize("name", BROKEN)
def test_a_collapse_made_on_purpose_is_named(name):
    x, word, fell = BROKEN[name]
    state = av.health(table(x), DATA)
    assert word in state.verdict
    assert state.collapsed == fell
    assert state.samples == N


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_said_of_sound_embeddings(name):
    assert av.health(table(SOUND[name]), DATA).symptoms == []


def test_what_fresh_weights_do_too_is_no_symptom():
    """A transformer's mean dominates before it is trained: only less than that is a collapse."""
    low = measured(torch.from_numpy(10 + 0.5 * POINTS).float())
    assert of_embedding({}, low)
    assert of_embedding(low, low) == []
    high = measured(torch.from_numpy(POINTS).float())
    assert of_embedding(high, low) == of_embedding({}, low)


def test_figures_are_what_they_say():
    x = torch.from_numpy(np.concatenate([POINTS[:100], POINTS[:50]])).float()
    x[:, :8] = 4.0
    found = measured(x)
    assert found["constant"] == 8 / DIM
    assert found["twin"] == pytest.approx(100 / 150)  # fifty that stand twice
    assert found["rank_of"] == DIM


def test_the_command_says_it_and_json_has_it(tmp_path, capsys):
    np.save(tmp_path / "x.npy", DATA)
    np.save(tmp_path / "v.npy", BROKEN["three points"][0].astype(np.float32))
    given = [str(tmp_path / "v.npy"), str(tmp_path / "x.npy")]
    assert main(["health", *given]) == 0
    said = capsys.readouterr().out
    assert "verdict   Not healthy: 100 % of the samples share a point" in said
    assert "samples that share a point" in said
    assert main(["health", *given, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record) == {"verdict", "collapsed", "symptoms", "samples", "lost", "figures"}
    assert record["figures"]["pretrained"]["twin"] == 1.0
    assert "untrained" not in record["figures"]


def test_embeddings_that_are_not_finite_are_counted_and_too_few_are_refused():
    lost = POINTS.copy()
    lost[:7] = np.nan
    state = av.health(table(lost), DATA)
    assert state.lost == 7
    assert "7 of 300 embeddings are not finite" in state.verdict
    lost[:290] = np.nan
    with pytest.raises(av.InputError, match="10 of 300 samples have a finite embedding"):
        av.health(table(lost), DATA)


def test_a_network_of_torch_stands_beside_itself_with_fresh_weights():
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, DIM))
    with torch.no_grad():
        network[1].weight[:] = network[1].weight[:1]  # all outputs are one
        network[1].bias.zero_()
    state = av.health(network, DATA)
    assert state.untrained["rank"] > 2 > state.figures["rank"]
    assert state.collapsed
