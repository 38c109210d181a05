"""Emoji of two vendors with their names at 20 pixels: names found for the drawings of a third vendor, and back."""

import copy
import os
from pathlib import Path
from typing import Any

import torch

from anyview.data import open as open_data
from anyview.data.readers.image_text import PairSource
from anyview.data.source import Dataset, Source
from anyview.evaluation.protocols.retrieval import rank_of_other
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, Headline, over_seeds, pretrained

CLAIM = (
    "Trained on the emoji of two vendors with CLIP's and SigLIP's loss, drawings of a third find their names and "
    "names their drawings, at least five times as often as with an untrained encoder: for concepts that were "
    "trained on, and for concepts that were not. There are no raw features that compare an image with a text."
)
BUDGET = 8
HEADLINES = [
    Headline("known i>t @10", "clip", "untrained encoder", None),
    Headline("new i>t @10", "clip", "untrained encoder", None),
]
SIZE = 20
TRAINED, HELD = ("openmoji", "twemoji"), "noto"
SHOWN = 400  #: known concepts among which is searched; there are about as many unknown ones


def data() -> tuple[Dataset, dict[str, Source]]:
    """What is trained on, and drawings of the vendor held out: of known and of unknown concepts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = {v: pq.read_table(emoji_folder() / f"{v}.parquet") for v in (*TRAINED, HELD)}

    def rows(vendor: str, split: str) -> Any:
        table = tables[vendor]
        keep = [value == split for value in table.column("split").to_pylist()]
        return table.filter(pa.array(keep)).select(["image", "name", "group"])

    train = open_data(pa.concat_tables([rows(v, "train") for v in TRAINED]), label="group", size=SIZE)
    known, new = (
        open_data(rows(HELD, split), label="group", size=SIZE, like=train.spec).train
        for split in ("train", "test")
    )
    pick = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))[:SHOWN]
    return train, {"known": known.take(pick.sort().values), "new": new}


def shuffled(train: Dataset, share: float, seed: int) -> Dataset:
    """The same with a share of the captions dealt out anew."""
    source = copy.copy(train.train)
    assert isinstance(source, PairSource)
    draw = torch.Generator().manual_seed(seed)
    picked = torch.randperm(len(source.text), generator=draw)[: round(share * len(source.text))]
    dealt = torch.arange(len(source.text))
    dealt[picked] = picked[torch.randperm(len(picked), generator=draw)]
    source.text = source.text[dealt]
    return Dataset(train.name, train.modality, {"train": source})


def emoji_folder() -> Path:
    return Path(os.environ["ANYVIEW_DATA"]) / "emoji"


def recalls(model: Model, tests: dict[str, Source]) -> dict[str, float]:
    """Recall in percent, by way and by whether the concepts were trained on."""
    found = {}
    for name, test in tests.items():
        image, text = model.embed_sides(test)
        for way, rank in (("i>t", rank_of_other(image, text)), ("t>i", rank_of_other(text, image))):
            found |= {f"{name} {way} @{k}": 100 * float((rank <= k).double().mean()) for k in (1, 10)}
    return found


def one(budget: int, seed: int) -> Figures:
    train, tests = data()
    _, clip = pretrained("clip", train, seed, budget, batch_size=64)
    _, siglip = pretrained("siglip", train, seed, budget, batch_size=64)
    return {
        "untrained encoder": recalls(clip.untrained(train.train, seed), tests),
        "clip": recalls(clip, tests),
        "siglip": recalls(siglip, tests),
    }


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds(one, budget, seeds)
    untrained = rows["untrained encoder"]
    checks = []
    for method in ("clip", "siglip"):
        for figure in ("known i>t @10", "known t>i @10", "new i>t @10", "new t>i @10"):
            times = rows[method][figure] / max(untrained[figure], 0.1)
            checks.append(Check(f"{method}, {figure}: times the untrained encoder's", times, 5))
    return Evidence(list(rows.values()), checks)
