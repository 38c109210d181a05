"""Views of every kind of data, for any batch and any options within reason: what holds of all of them."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyview.data.batch import Batch, Ragged, payload_len, payload_map
from anyview.data.graph.clean import pack
from anyview.data.graph.packed import Nodes, SparseRows
from anyview.data.graph.places import places
from anyview.data.molecule.chemistry import read_all
from anyview.data.molecule.smiles import vocabulary
from anyview.data.readers.molecule import payload
from anyview.errors import InputError
from anyview.modalities import modality
from anyview.views.base import Views

Spec = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]


def ragged(draw: Draw, longest: int, make: Callable[[int], torch.Tensor]) -> Ragged:
    return Ragged.of([make(n) for n in draw(st.lists(st.integers(1, longest), min_size=1, max_size=4))])


def image(draw: Draw) -> tuple[Any, Spec]:
    shape = [draw(st.sampled_from([1, 3])), draw(st.integers(1, 20)), draw(st.integers(1, 20))]
    scale = {"mean": [0.5] * shape[0], "std": [0.25] * shape[0]}
    x = torch.randint(0, 256, (draw(st.integers(1, 4)), *shape), dtype=torch.uint8)
    return x * draw(st.sampled_from([0, 1])), {"shape": shape, **scale}


def video(draw: Draw) -> tuple[Any, Spec]:
    x, spec = image(draw)
    frames = draw(st.integers(2, 6))
    return x[:, :, None].repeat(1, 1, frames, 1, 1), spec | {
        "shape": [spec["shape"][0], frames, *spec["shape"][1:]]
    }


def volume(draw: Draw) -> tuple[Any, Spec]:
    shape = [1, *(draw(st.integers(2, 10)) for _ in range(3))]
    x = torch.randint(0, 256, (draw(st.integers(1, 3)), *shape), dtype=torch.uint8)
    return x, {"shape": shape, "mean": [0.5], "std": [0.25], "cut": False}


def series(draw: Draw) -> tuple[Any, Spec]:
    channels, scale = draw(st.integers(1, 3)), draw(st.sampled_from([0.0, 1.0, 1e4]))
    x: Any = ragged(draw, 40, lambda n: scale * torch.randn(n, channels))
    if draw(st.booleans()):
        x = scale * torch.randn(draw(st.integers(1, 4)), channels, draw(st.integers(1, 40)))
    return x, {"channels": channels, "mean": [0.0] * channels, "std": [max(scale, 1.0)] * channels}


def audio(draw: Draw) -> tuple[Any, Spec]:
    loud = draw(st.sampled_from([1, 300, 32767]))
    x = ragged(draw, 3000, lambda n: torch.randint(-loud, loud + 1, (n,)).short())
    return x, {"rate": 8000, "mels": 40, "mean": [0.0] * 40, "std": [1.0] * 40, "seconds": [0.1, 0.2, 0.3]}


def text(draw: Draw) -> tuple[Any, Spec]:
    spec = {"vocabulary": 50, "max_length": 64, "pad": 0, "unknown": 1, "mask": 2, "before": [], "after": []}
    return ragged(draw, 30, lambda n: torch.randint(3, 50, (n,))), spec


def table(draw: Draw) -> tuple[Any, Spec]:
    rows, numeric, categorical = draw(st.integers(1, 5)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
    x = torch.randn(rows, numeric)
    codes = torch.randint(0, 4, (rows, categorical))
    features = {
        "numeric": [{"name": f"n{i}", "middle": 0.0, "spread": 1.0, "edges": [0.0]} for i in range(numeric)],
        "categorical": [{"name": f"c{i}", "values": ["a", "b"]} for i in range(categorical)],
    }
    return {"numeric": x.masked_fill(torch.rand(x.shape) < 0.3, torch.nan), "categorical": codes}, features


def events(draw: Draw) -> tuple[Any, Spec]:
    length = torch.tensor(draw(st.lists(st.integers(1, 40), min_size=1, max_size=4)))
    count, numeric, categorical = int(length.sum()), draw(st.integers(0, 2)), draw(st.integers(0, 2))
    fields = {
        "time": torch.rand(count, dtype=torch.float64).cumsum(0),
        "numeric": torch.randn(count, numeric),
        "categorical": torch.randint(0, 4, (count, categorical)),
    }
    return {name: Ragged(values, length) for name, values in fields.items()}, {}


def edges(draw: Draw, nodes: list[int]) -> torch.Tensor:
    """(2, edges), both ways of each, of graphs of so many nodes end to end."""
    found, before = [], 0
    for count in nodes:
        linked = torch.rand(count, count) < draw(st.sampled_from([0.0, 0.3, 1.0]))
        found.append(torch.nonzero(linked | linked.T).T + before)
        before += count
    return torch.cat(found, 1)


def graph(draw: Draw) -> tuple[Any, Spec]:
    """Small graphs, or the nodes of one."""
    one = draw(st.booleans())
    nodes = [draw(st.integers(1, 12))] if one else draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    dense = torch.randn(sum(nodes), 5).relu()
    kinds = {
        "dense": dense,
        "sparse": SparseRows.of(dense),
        "categories": torch.randint(0, 5, (sum(nodes), 1)),
    }
    features = draw(st.sampled_from(sorted(kinds)))
    packed = pack(kinds[features], edges(draw, nodes), torch.tensor(nodes))
    if draw(st.booleans()):
        packed = packed.with_x(packed.x, places(packed))
    x = Nodes(packed, torch.arange(packed.count)) if one else packed
    return x, {"level": "nodes" if one else "graphs", "features": features, "size": 5}


def molecule(draw: Draw) -> tuple[Any, Spec]:
    known = ["C", "CCO", "c1ccccc1Br", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "C1CC1/C=C/C#N"]
    chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=4))
    molecules, _, _ = read_all(chosen, "here", draw(st.integers(0, 3)))
    tokens = vocabulary([smiles for m in molecules for smiles in m.smiles])
    return payload(molecules, tokens), {"tokens": tokens}


def image_text(draw: Draw) -> tuple[Any, Spec]:
    (pictures, seen), (captions, read) = image(draw), text(draw)
    count = min(len(pictures), len(captions))
    return {"image": pictures[:count], "text": captions[:count]}, {"image": seen, "text": read}


KINDS = {
    f.__name__: f
    for f in (image, video, volume, series, audio, text, table, events, graph, molecule, image_text)
}
CASES = [(kind, need) for kind in KINDS for need in modality(kind).views]


def options(make: Callable[..., Views]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the options, each with what its default says is within reason."""
    out: dict[str, st.SearchStrategy[Any]] = {}
    for name, parameter in inspect.signature(make).parameters.items():
        default = parameter.default
        if isinstance(default, bool):
            out[name] = st.booleans()
        elif isinstance(default, int):
            out[name] = st.integers(0, max(3, default))
        elif isinstance(default, float):
            out[name] = st.floats(0, max(1.0, 2 * default))
        elif isinstance(default, tuple) and default and all(isinstance(v, float) for v in default):
            ends = st.lists(st.floats(0, max(1.0, *default)), min_size=len(default), max_size=len(default))
            out[name] = ends.map(lambda values: tuple(sorted(values)))
    return st.fixed_dictionaries({}, optional=out)


def tensors(x: Any) -> Iterator[torch.Tensor]:
    """All tensors in a payload, in order."""
    if isinstance(x, torch.Tensor):
        yield x
    elif isinstance(x, dict):
        for part in x.values():
            yield from tensors(part)
    elif dataclasses.is_dataclass(x):
        for field in dataclasses.fields(x):
            yield from tensors(getattr(x, field.name))


def same(a: Any, b: Any) -> bool:
    pairs = list(zip(tensors(a), tensors(b), strict=True))
    return all(x.shape == y.shape and bool(((x == y) | ((x != x) & (y != y))).all()) for x, y in pairs)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 2**31))
@pytest.mark.parametrize(("kind", "need"), CASES, ids=lambda v: str(v))
def test_views_of_any_batch_with_any_options(kind: str, need: str, data: st.DataObject, seed: int) -> None:
    """Every sample has a view; all are finite; the generator repeats them; the batch stays as it was."""
    torch.manual_seed(seed)
    x, spec = KINDS[kind](data.draw)
    make = modality(kind).views[need]
    chosen = data.draw(options(make))
    try:
        views = make(spec, **chosen)
    except InputError:  # options that cannot be together, in one line
        return
    batch = Batch(x, torch.arange(payload_len(x)) + 5, torch.zeros(payload_len(x), dtype=torch.int64))
    before = payload_map(x, lambda leaf: leaf[torch.arange(len(leaf))])
    made = []
    for _ in range(2):
        torch.manual_seed(seed)
        made.append(views(batch))
    assert same(batch.x, before)
    assert len(made[0]) == views.count
    for view, again in zip(*made):
        assert torch.equal(view.index, batch.index)
        assert payload_len(view.x) == len(batch)
        assert same(view.x, again.x)
        assert same(view.meta, again.meta)
        for values in tensors(view.x):
            # what is missing in a field is NaN
            assert (
                kind in ("table", "events") or not values.is_floating_point() or bool(values.isfinite().all())
            )
        assert not isinstance(view.x, Ragged) or int(view.x.length.min()) >= 1
