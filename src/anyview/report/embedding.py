"""Section of the report: a map of the embedding and its spectrum."""

import json
from html import escape
from typing import Any

import numpy as np

from anyview.report.charts import Group, Line, Mark, line_chart, number, scatter
from anyview.report.parts import figure, missing
from anyview.report.pictures import sheet, to_rgb
from anyview.report.projection import flat_map, spectrum
from anyview.report.record import Record

MAP_POINTS = 1000
COLOURS = 10  # groups that one can still tell apart


def embedding(record: Record) -> str:
    """Map and spectrum of the embedding."""
    vectors = record.embedding.get("vectors")
    if vectors is None or len(vectors) < 3:
        return missing("No embedding was kept in this run folder (embedding.npz).")
    return f'<div class="wide">{_map(record)}{_spectrum(vectors)}</div>'


def _spectrum(vectors: np.ndarray) -> str:
    values, rank = spectrum(vectors)
    index = np.arange(1, len(values) + 1, dtype=float)
    title = f"{number(len(vectors))} samples use {number(rank, 2)} of {len(values)} dimensions"
    floor = max(1e-6, float(values[values > 0].min(initial=1.0)))
    drawing = line_chart(
        [Line(index, np.maximum(values, floor))],
        x_label="dimension, strongest first",
        y_label="singular value (share of the largest)",
        about=title,
        marks=[Mark(rank, f"effective rank {number(rank, 2)}")],
        log_y=True,
        x_range=(0, len(values)),
        width=400,
        height=400,
    )
    return figure(title, "A flat spectrum uses its dimensions evenly, a cliff wastes those behind.", drawing)


def _map(record: Record) -> str:
    kept = record.embedding
    n = len(kept["vectors"])
    pick = np.arange(n)
    if n > MAP_POINTS:
        pick = np.sort(np.random.default_rng(0).choice(n, MAP_POINTS, replace=False))
    points, how = flat_map(kept["vectors"][pick])
    labels = kept["label"][pick].astype(np.int64) if "label" in kept else np.full(len(pick), -1)
    given = record.data.get("label_names")
    names = [str(x) for x in given] if isinstance(given, list) else []
    classes = sorted(int(c) for c in np.unique(labels) if c >= 0)

    def name(c: int) -> str:
        return names[c] if c < len(names) else f"label {c}"

    coloured = 1 < len(classes) <= COLOURS
    if coloured:
        groups = [Group("unlabelled", "none", np.flatnonzero(labels < 0))]
        groups += [Group(name(c), f"p{i}", np.flatnonzero(labels == c)) for i, c in enumerate(classes)]
    else:
        groups = [Group("samples", "one", np.arange(len(pick)))]
    groups = [g for g in groups if len(g.members)]
    data: dict[str, Any] = {"index": kept["index"][pick].tolist()}
    if classes:
        data |= {"label": labels.tolist(), "names": [name(c) for c in range(max(classes) + 1)]}
    picture_sheet = ""
    if "thumb" in kept:
        uri, grid, tile = sheet(to_rgb(kept["thumb"][pick]))
        data |= {"grid": grid, "tile": tile}
        picture_sheet = f'<img id="sheet" hidden alt="" src="{uri}">'
    title = f"Map of {number(len(pick))} samples" + (", coloured by label" if coloured else "")
    if coloured:
        note = "Labels were not used to make it."
    elif classes:
        note = f"{len(classes)} labels: too many for colours, hover shows them." if len(classes) > 1 else ""
    else:
        note = "No labels."
    how = how[0].upper() + how[1:]
    about = f"{how}. {note} Near points are alike; distances between far groups and the axes mean nothing."
    legend = "".join(
        f'<button type="button" data-group="{i}" aria-pressed="true"><svg viewBox="0 0 10 10">'
        f'<circle class="{g.style}" cx="5" cy="5" r="5"/></svg>{escape(g.name)}'
        f"<small>{len(g.members)}</small></button>"
        for i, g in enumerate(groups)
    )
    legend = f'<div class="legend">{legend}</div>' if coloured else ""
    stored = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    store = f'<script type="application/json" id="map-data">{stored}</script>'
    drawing = scatter(points, groups, about=title, words=coloured)
    return figure(title, " ".join(about.split()), drawing + legend + picture_sheet + store)
