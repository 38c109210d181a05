"""Accuracy by groups of the test samples: counted by hand, by any column, and unseen by what is fitted."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch

import anyview as av
from anyview.cli.main import main
from anyview.evaluation.protocols import judge
from anyview.evaluation.protocols.base import Groups
from anyview.evaluation.protocols.worst import PROTOCOL, mean_share, worst_share

DRAW = np.random.default_rng(0)
SHADES = ["dark", "light", "medium-light"]


def people(count=300, seed=0):
    """A label that ``a`` tells, but for the dark half of the time, and a group that no column of features tells."""
    draw = np.random.default_rng(seed)
    label, shade = draw.integers(0, 2, count), draw.integers(0, 3, count)
    a = np.where((shade == 0) & (draw.random(count) < 0.5), 1 - label, label) + 0.01 * draw.normal(size=count)
    split = np.where(np.arange(count) < 200, "train", "test")
    return pa.table(
        {
            "a": a,
            "b": draw.normal(size=count),
            "shade": [SHADES[i] for i in shade],
            "label": label,
            "split": split,
        }
    )


def features(images):
    """The first two columns as they are: a function for tables."""
    return torch.stack([images["numbers"][:, i] for i in (0, 1)], 1)


def test_shares_are_those_counted_by_hand():
    correct, group = torch.rand(200) < 0.7, torch.randint(0, 4, (200,))
    group[group == 1] = 3  # a group without a sample
    by_hand = [float(correct[group == g].double().mean()) for g in (0, 2, 3)]
    assert worst_share(correct, group) == pytest.approx(min(by_hand))
    assert mean_share(correct, group) == pytest.approx(np.mean(by_hand))


def test_rows_are_of_each_group_and_samples_without_one_do_not_count():
    answer, label = torch.tensor([0, 1, 0, 1, 1, 1]), torch.tensor([0, 0, 0, 1, 1, 0])
    groups = Groups(torch.tensor([0, 0, 2, 2, 2, -1]), ["noto", "none", "openmoji"])
    rows = PROTOCOL.measure_groups(answer, label, groups, 0)
    assert {row: figure.mean for (row, _), figure in rows.items()} == {
        "worst-group": 0.5,
        "mean-group": 0.75,
        "group-noto": 0.5,
        "group-openmoji": 1.0,
    }
    many = Groups(torch.arange(40) % 20, [str(i) for i in range(20)])
    wide = PROTOCOL.measure_groups(torch.arange(40), torch.arange(40), many, 0)
    assert {row for row, _ in wide} == {"worst-group", "mean-group"}  # too many to list


def test_a_column_parts_the_test_samples(tmp_path, capsys):
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "people.parquet"
    pq.write_table(people(), path)
    vectors = np.stack([people()["a"].to_numpy(), people()["b"].to_numpy()], 1).astype(np.float32)
    np.save(tmp_path / "v.npy", vectors)
    given = [str(tmp_path / "v.npy"), str(path), "--protocol", "linear", "--groups", "shade"]
    assert main(["evaluate", *given, "--json"]) == 0
    rows = {r["protocol"]: r["figures"]["pretrained"] for r in json.loads(capsys.readouterr().out)}
    assert list(rows) == [
        "linear",
        "worst",
        "worst-group",
        "mean-group",
        *(f"group-{shade}" for shade in SHADES),
    ]
    assert rows["group-light"]["mean"] == rows["group-medium-light"]["mean"] == 1.0
    assert rows["worst-group"]["mean"] == rows["group-dark"]["mean"] < 0.75 < rows["linear"]["mean"]
    assert rows["mean-group"]["mean"] == pytest.approx((2 + rows["group-dark"]["mean"]) / 3)
    table = people().to_pandas()
    test = table[table.split == "test"]
    assert 100 * len(test[test.shade == "dark"]) > 0
    assert main(["evaluate", *given]) == 0
    said = capsys.readouterr().out
    assert "worst group, linear" in said
    assert "group medium-light, linear" in said
    for column, says in (("a", "holds fractions, which are no groups"), ("shadow", 'no column "shadow"')):
        assert main(["evaluate", *given[:-1], column]) == 2
        assert says in capsys.readouterr().err


def test_groups_of_test_change_no_answer():
    from anyview.data.source import MemorySource
    from anyview.evaluation.features import Features, Split

    x, label = torch.randn(120, 4), torch.arange(120) % 2

    def result(group):
        source = MemorySource("table", {}, x, label)
        source.group, source.group_names = group, ["first", "second"]
        parts = [source.take(torch.arange(a, a + 40)) for a in (0, 40, 80)]
        assert parts[2].hidden().group is None
        found = judge({"it": Features(*(Split(x[p._rows], p.label, p) for p in parts))}, ["linear", "worst"])
        return {r.protocol: r.figures["it"].mean for r in found}

    first, second = result(torch.arange(120) // 2 % 2), result(1 - torch.arange(120) // 2 % 2)
    assert first["group-first"] == second["group-second"]
    assert {k: v for k, v in first.items() if "first" not in k and "second" not in k} == {
        k: v for k, v in second.items() if "first" not in k and "second" not in k
    }


def test_data_that_is_open_already_has_no_columns_to_read_again():
    opened = av.open(people())
    with pytest.raises(av.InputError, match="is open already"):
        av.evaluate(lambda x: x, opened, protocols=["worst"], groups="shade")
