"""SimCLR on groceries (slices of one history agree, as in CoLES), beside counts and aggregates.

561 households, of which 420 are learned from; 81 are test. ``matched`` asks of a household that was never seen
whose the second half of its history is, among all of its split, by cosine after standardising; no label is
used. ``labels`` is the accuracy of a linear probe, the mean over five labels of a household, which follow.
Aggregates win ``matched`` by far (95 % on validation): a share for each of 1,300 things and kinds of things names
a household as a list of what it buys does. That is kept in the table, and is no claim.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from anyview.data import open as open_data
from anyview.data.batch import Payload
from anyview.data.source import Dataset, Source
from anyview.evaluation.features import standardiser
from anyview.training.model import Model
from anyview.views.events import keep_events, within
from evidence.common import Check, Evidence, Figures, Headline, judged, over_seeds, pretrained

CLAIM = (
    "Slices of one history that agree give embeddings that find the other half of an unseen household's history more "
    "often than the untrained encoder's, and say more of who lives there than those and than counts and aggregates."
)
BUDGET = 20
HEADLINES = [Headline("matched", "simclr", "untrained encoder", "counts and aggregates")]
NOTE = (
    "Counts and aggregates win: a list of what a household buys, a share for each of 1,300 things, names it "
    "better than a vector of 64 numbers learned from 420 households. And no representation says much of who "
    "lives there: all accuracies are near the share of the commonest class."
)
LABELS = ("age", "income", "kids", "household_size", "married")


def halves(source: Source) -> tuple[Payload, Payload]:
    """The first and the second half of every history."""
    x = source.fetch(torch.arange(len(source))).x
    length = x["time"].length
    first = within(length) < (length // 2).repeat_interleave(length)
    return keep_events(x, first), keep_events(x, ~first)


@torch.no_grad()
def matched(features: Callable[[Payload], Tensor], data: Dataset, split: str) -> float:
    """Percent of the histories of a split whose second half is nearest to their first."""
    standardise = standardiser(torch.cat([features(half) for half in halves(data.train)]))
    one, two = (normalize(standardise(features(half))) for half in halves(data.splits[split]))
    return 100 * float(((one @ two.T).argmax(1) == torch.arange(len(one))).float().mean())


def figures(
    features: Callable[[Payload], Tensor],
    embed: Callable[[Source], Tensor],
    sets: dict[str, Dataset],
    split: str,
) -> dict[str, float]:
    """All figures of one representation; every split is embedded once, since labels do not change it."""
    first = next(iter(sets.values()))
    known = {name: embed(source) for name, source in first.splits.items()}
    found = {}
    for label, data in sets.items():
        place = {id(source): known[name] for name, source in data.splits.items()}
        found[label] = judged(lambda source, place=place: place[id(source)], data, ("linear",))["linear"]
    return {"matched": matched(features, first, split), "labels": sum(found.values()) / len(found)} | found


def of_model(model: Model, sets: dict[str, Dataset], split: str) -> dict[str, float]:
    return figures(model.encoder.eval(), model.embed_source, sets, split)


def one(budget: int, seed: int, split: str = "test") -> Figures:
    sets = {label: open_data("grocery_events", label=label) for label in LABELS}
    data = next(iter(sets.values()))
    _, simclr = pretrained("simclr", data, seed, budget)
    raw = simclr.modality.raw(data.train, data.spec)
    return {
        "untrained encoder": of_model(simclr.untrained(data.train, seed), sets, split),
        simclr.modality.raw_name: figures(raw, simclr.raw(data.train), sets, split),
        "simclr": of_model(simclr, sets, split),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained, raw, simclr = rows.values()
    return Evidence(
        list(rows.values()),
        [
            Check("matched above untrained", simclr["matched"] - untrained["matched"], 5),
            Check("labels above untrained", simclr["labels"] - untrained["labels"], 1),
            Check("labels above aggregates", simclr["labels"] - raw["labels"], 1),
        ],
    )
