"""The embedding in the browser: what embedding-atlas (the extra ``anyview[explore]``) shows, and what it is given.

The page computes for itself, by DuckDB in WebAssembly, over a table that it is given: a row a sample, with its place on
the map, its nearest neighbours, its label, its cluster, and what a person sees, reads or hears of it.
"""

import importlib.util
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from anyview.data.loader import batches
from anyview.data.source import Source
from anyview.errors import InputError
from anyview.objectives.agreement import neighbours
from anyview.report.pictures import png, to_rgb
from anyview.report.projection import flat_map
from anyview.targets.kmeans import kmeans
from anyview.training.model import Model
from anyview.training.step import seed_step

NEIGHBOURS = 15  #: of each sample, by cosine
CLUSTERS = 10  #: where there are no classes to say how many
LEAST, SIDE = 64, 128  #: pixels of the longer side of a picture
FEWEST = 3  #: samples of which there can be a map
ID, X, Y, NEAR, SEEN = "sample", "map x", "map y", "neighbours", "picture"
SOUND = "sound"
OURS = (ID, X, Y, NEAR, SEEN, "cluster", "label", "split", "place")  #: columns of the page, not of the data


@dataclass(frozen=True)
class Page:
    """What a browser may ask for: a folder that comes with embedding-atlas, and files made here, by their path."""

    static: Path
    files: Mapping[str, bytes]
    samples: int
    method: str  #: how the map was made

    @property
    def size(self) -> int:
        """Bytes of what was made here."""
        return sum(map(len, self.files.values()))


def static_files() -> Path:
    """The page itself, which the package brings; none of its code is run here.

    Raises:
        InputError: when it is not installed.
    """
    found = importlib.util.find_spec("embedding_atlas")
    folders = [Path(place) / "static" for place in (found and found.submodule_search_locations) or []]
    if not folders or not (folders[0] / "index.html").is_file():
        raise InputError(
            'looking at an embedding needs embedding-atlas; install it with: pip install "anyview[explore]"'
        )
    return folders[0]


def make_page(model: Model, sources: Mapping[str, Source], samples: int, seed: int = 0) -> Page:
    """The page of up to ``samples`` samples of the splits, drawn by ``seed``; they share one map.

    Raises:
        InputError: when embedding-atlas is not installed, or fewer than ``FEWEST`` samples are asked for or have a
            finite embedding.
    """
    if samples < FEWEST:
        raise InputError(f"a map takes {FEWEST} samples or more, not {samples:,}")
    static = static_files()
    parts = _drawn(sources, samples, seed)
    vectors = torch.cat([model.embed_source(part) for part in parts.values()])
    finite = vectors.isfinite().all(1)
    if finite.sum() < FEWEST:
        raise InputError(
            f"{int(finite.sum()):,} of {len(vectors):,} samples have a finite embedding; a map takes {FEWEST} or more"
        )
    columns = _told(model, parts)
    flat, method = flat_map(vectors[finite].numpy(), seed, umap=True)
    classes = {one for one in columns.get("label", ()) if isinstance(one, str)}
    count = len(classes) or CLUSTERS
    seed_step(seed, 0)
    cluster = kmeans(F.normalize(vectors[finite], dim=1), min(count, int(finite.sum())))[1]
    kept = finite.nonzero()[:, 0].tolist()
    rows = {
        ID: pa.array(range(len(kept))),
        X: pa.array(flat[:, 0]),
        Y: pa.array(flat[:, 1]),
        NEAR: pa.array(
            [{"ids": i, "distances": d} for i, d in zip(*(x.tolist() for x in near(vectors[finite])))]
        ),
        "cluster": pa.array([f"cluster {i}" for i in cluster.tolist()]),
    } | {name: _column([values[i] for i in kept]) for name, values in columns.items()}
    return Page(static, files(pa.table(rows), f"{method} of {len(kept):,}"), len(kept), method)


def files(table: pa.Table, title: str) -> dict[str, bytes]:
    """The table, and what says how it is shown."""
    texts = [f.name for f in table.schema if f.type == pa.string()]
    text = next((name for name in texts if name not in OURS), None)
    point = {"x": X, "y": Y, "text": text, "neighbors": NEAR}
    colour = next(name for name in ("label", "cluster") if name in table.column_names)
    styles: dict[str, Any] = {name: {"display": "hidden"} for name in (ID, X, Y, NEAR)}
    if SEEN in table.column_names:
        point["image"] = SEEN
        styles[SEEN] = {"renderer": "image", "display": "full"}
    if SOUND in table.column_names:
        styles[SOUND] = {"renderer": "audio", "display": "full"}
    named = {key: value for key, value in point.items() if value is not None}
    props = {
        "data": {"table": "dataset", "id": ID, "projection": {"x": X, "y": Y}}
        | {key: named[key] for key in ("text", "image", "neighbors") if key in named},
        "defaultChartsConfig": {
            "embedding": {"title": title, "data": named | {"category": colour}},
            "exclude": [ID, X, Y, NEAR, SEEN, SOUND],
        },
        "initialState": {"columnStyles": styles},
    }
    metadata = {"isStatic": True, "props": props, "database": {"type": "wasm", "load": True}}
    written = io.BytesIO()
    pq.write_table(table, written)
    return {"data/metadata.json": json.dumps(metadata).encode(), "data/dataset.parquet": written.getvalue()}


def _drawn(sources: Mapping[str, Source], samples: int, seed: int) -> dict[str, Source]:
    """So many of all splits together, in order."""
    sizes = [len(source) for source in sources.values()]
    drawn = torch.randperm(sum(sizes), generator=torch.Generator().manual_seed(seed))[:samples].sort().values
    starts = np.cumsum([0, *sizes])
    places = [drawn[(drawn >= a) & (drawn < b)] - a for a, b in pairwise(starts)]
    return {name: source.take(place) for (name, source), place in zip(sources.items(), places) if len(place)}


def _told(model: Model, parts: Mapping[str, Source]) -> dict[str, list[Any]]:
    """Columns of what is known of each sample."""
    columns: dict[str, list[Any]] = {}
    before = 0
    for name, source in parts.items():
        here: dict[str, list[Any]] = {}
        for batch in batches(source, 256):
            pictures = model.modality.picture(model.modality.inputs(batch.x, model.spec), model.spec)
            said = {
                f"{name} of the data" if name in OURS else name: values
                for name, values in model.modality.told(batch.x, model.spec).items()
            }
            if pictures is not None:
                said = {SEEN: [png(one, SIDE, LEAST) for one in to_rgb(pictures.numpy())]} | said
            for key, values in said.items():
                column = here.setdefault(key, [None] * len(source))
                for place, value in zip(batch.index.tolist(), values):
                    column[place] = value
        if source.label is not None:
            here["label"] = _labels(source)
        if len(parts) > 1:
            here["split"] = [name] * len(source)
        here["place"] = [source.where(i) for i in range(len(source))]
        for key in {**columns, **here}:
            columns.setdefault(key, [None] * before).extend(here.get(key, [None] * len(source)))
        before += len(source)
    return columns


def _labels(source: Source) -> list[Any]:
    assert source.label is not None
    if source.label.is_floating_point():
        return [None if value != value else value for value in source.label.tolist()]
    names = source.label_names
    return [None if i < 0 else names[i] if names else f"class {i}" for i in source.label.tolist()]


def _column(values: list[Any]) -> pa.Array:
    """Bytes as the page knows them, numbers as they are, all else as text."""
    known = [value for value in values if value is not None]
    if known and isinstance(known[0], bytes):
        return pa.array([None if value is None else {"bytes": value} for value in values])
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def near(
    vectors: Float[Tensor, "samples dim"], count: int = NEIGHBOURS
) -> tuple[Int[Tensor, "samples k"], Float[Tensor, "samples k"]]:
    """The nearest others of every sample by cosine, the nearest first, and one less their cosine; ``k`` is ``count``,
    or all others where they are fewer."""
    unit = F.normalize(vectors, dim=1)
    ids = neighbours(unit, min(count, len(unit) - 1))
    cosine = torch.stack([(unit * unit[column]).sum(1) for column in ids.unbind(1)], 1)
    cosine, order = cosine.clamp(-1, 1).sort(1, descending=True)  # rounding may have changed it
    return ids.gather(1, order), 1 - cosine
