"""CLIP on the emoji of two vendors at 20 pixels, searched in those of a third; against shuffled captions."""

from evidence.common import Check, Evidence, Figures, over_seeds, pretrained
from evidence.modalities.image_text import SHOWN, data, recalls, shuffled

CLAIM = (
    "CLIP finds the names of a new vendor's drawings among its first ten at least ten times as often as chance, and "
    "five times as often as when its captions are shuffled, so it is the pairs that it learns from."
)
BUDGET = 5


def one(budget: int, seed: int) -> Figures:
    train, tests = data()
    _, clip = pretrained("clip", train, seed, budget, batch_size=64)
    _, lost = pretrained("clip", shuffled(train, 1.0, seed), seed, budget, batch_size=64)
    return {
        "untrained encoder": recalls(clip.untrained(train.train, seed), tests),
        "clip": recalls(clip, tests),
        "clip, captions shuffled": recalls(lost, tests),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    clip, lost = rows["clip"]["known i>t @10"], rows["clip, captions shuffled"]["known i>t @10"]
    return Evidence(
        list(rows.values()),
        [
            Check("known i>t @10, times chance", clip / (100 * 10 / SHOWN), 10),
            Check("known i>t @10, times that of shuffled captions", clip / max(lost, 0.1), 5),
        ],
    )
