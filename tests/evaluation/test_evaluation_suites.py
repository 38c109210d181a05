"""Suites: what is drawn, one recipe for all, means by hand, done once, and encoders that cannot take part."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from anyview.data import open as open_data
from anyview.data.images.scenes import TASKS as SCENES
from anyview.data.text.probing import TASKS as PROBING
from anyview.encoders.weights import fingerprint
from anyview.errors import InputError
from anyview.evaluation.kept import claim
from anyview.evaluation.protocols import PROTOCOLS
from anyview.evaluation.result import Figure, Result
from anyview.evaluation.suites import SUITES
from anyview.evaluation.suites import run as run_module
from anyview.evaluation.suites.base import Suite, Task, draw
from anyview.evaluation.suites.run import Ready, entrant, run_suite, settings
from anyview.evaluation.suites.score import Score, over_seeds
from anyview.modalities import NAMES, modality
from anyview.training.model import Model

LABEL = torch.tensor([0] * 50 + [1] * 30 + [2] * 5 + [-1] * 15)


# ---------------------------------------------------------------- labels


def test_a_draw_is_even_repeats_and_takes_no_unknown() -> None:
    picked = draw(LABEL, 40, seed=1)
    assert LABEL[picked].bincount().tolist() == [
        18,
        17,
        5,
    ]  # the small class gives all, the others share the rest
    assert len(picked.unique()) == 40
    assert torch.equal(picked, draw(LABEL, 40, seed=1))
    assert not torch.equal(picked, draw(LABEL, 40, seed=2))
    assert set(draw(LABEL, 20, seed=1).tolist()) < set(picked.tolist())  # larger draws hold the smaller ones
    assert len(draw(LABEL, 85, seed=0)) == 85
    with pytest.raises(InputError, match="85 labelled samples of the 86"):
        draw(LABEL, 86, seed=0)


@pytest.mark.parametrize("held", [True, False])
def test_a_thousand_are_800_and_200_apart_from_test(held: bool) -> None:
    x = np.arange(1700, dtype=np.uint8)[:, None, None] % 250 * np.ones((1, 4, 4), np.uint8)
    x[:, 0, 0], x[:, 0, 1] = np.arange(1700) % 256, np.arange(1700) // 256  # which one it is
    y = np.arange(1700) % 10
    whole = {"train": (x[:1500], y[:1500]), "test": (x[1500:], y[1500:])} if held else (x, y)
    found = Task("t", "d", "g", labels=1000).drawn(open_data(whole, modality="image"), seed=3)
    ids = {}
    for name, source in found.splits.items():
        pixels = source.fetch(torch.arange(len(source))).x.long()
        ids[name] = set((pixels[:, 0, 0, 0] + 256 * pixels[:, 0, 0, 1]).tolist())
    assert {name: len(i) for name, i in ids.items()} == {
        "train": 800,
        "validation": 200,
        "test": 200 if held else 700,
    }
    assert sum(map(len, ids.values())) == len(set.union(*ids.values()))
    assert found.train.label.bincount().tolist() == [80] * 10


# ---------------------------------------------------------------- the lists


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_a_suite_is_whole(suite: Suite) -> None:
    assert suite.modality in NAMES
    assert "arXiv:" in suite.follows
    assert suite.deviations
    assert all(len(text) > 20 for text in suite.deviations)
    assert len({t.name for t in suite.tasks}) == len(suite.tasks)
    assert all(t.protocol in PROTOCOLS for t in suite.tasks)
    # one recipe for all tasks of one kind: nothing is tuned to a task
    by_kind = {(t.group, t.metric): (t.protocol, t.labels) for t in suite.tasks}
    assert all(by_kind[t.group, t.metric] == (t.protocol, t.labels) for t in suite.tasks)


def test_visual_has_three_groups_and_nothing_that_flips() -> None:
    visual = SUITES["visual"]
    assert visual.groups == ["natural", "specialised", "structured"]
    assert {t.labels for t in visual.tasks} == {1000}
    assert {t.data for t in visual.tasks if t.group == "structured"} == {f"scenes-{name}" for name in SCENES}
    tuned = visual.by("finetune-plain")
    assert {t.protocol for t in tuned.tasks} == {"finetune-plain"}
    assert PROTOCOLS["finetune-plain"].views == "one_view"
    x = torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8)
    spec = {"shape": [3, 8, 8], "mean": [0.5] * 3, "std": [0.25] * 3}
    (view,) = modality("image").views_for("one_view")(spec)(open_data(x.numpy()).train.fetch(torch.arange(4)))
    torch.testing.assert_close(view.x, (x / 255 - 0.5) / 0.25)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_its_data_have_the_columns_it_names(suite: Suite, shared_data: Path) -> None:
    made = {f"scenes-{name}" for name in SCENES} | {f"probing-{name}" for name in PROBING}
    for task in suite.tasks:
        if task.data in made:
            continue
        files = sorted((shared_data / task.data).iterdir())
        assert files, task.data
        if files[0].suffix == ".parquet":
            names = pq.read_schema(
                next((f for f in files if f.stem in (task.split, "train")), files[0])
            ).names
            usual = {"label", "y", "target", "score"} & set(names)
            assert task.label in names if task.label else usual
            assert task.split is None or task.split in {f.stem for f in files}
        else:
            with np.load(files[0], allow_pickle=False) as arrays:
                assert "y" in arrays


# ---------------------------------------------------------------- figures


def figure(mean: float, std: float = 0.1) -> Figure:
    return Figure(mean, std, 200, mean - 2 * std, mean + 2 * std)


def score(seeds: int = 1, metric: str = "accuracy") -> Score:
    tasks = tuple(Task(n, n, "one" if n in "ab" else "two") for n in "abc")
    suite = Suite("s", "image", "arXiv:", (), tasks)
    means = {"a": (0.2, 0.1), "b": (0.4, 0.5), "c": (0.9, 0.3)}
    each = {
        n: [
            Result(n, metric if n == "c" else "accuracy", "test",
                   {"pretrained": figure(p + 0.03 * s), "untrained": figure(u, 0.01)})
            for s in range(seeds)
        ]
        for n, (p, u) in means.items()
    }  # fmt: skip
    about = {n: {"judged by": "linear", "samples": {"test": 9}} for n in means}
    results = {n: over_seeds(found) for n, found in each.items()}
    return Score(suite, Path("f"), "it", seeds, results, each, about, {})


def test_means_are_those_by_hand() -> None:
    means = {r.protocol: r.figures for r in score().means()}
    assert list(means) == ["mean of one", "mean of tasks", "mean of groups"]
    assert means["mean of one"]["pretrained"].mean == pytest.approx(0.3)
    assert means["mean of tasks"]["pretrained"].mean == pytest.approx(0.5)
    assert means["mean of groups"]["pretrained"].mean == pytest.approx((0.3 + 0.9) / 2)
    assert means["mean of tasks"]["untrained"].mean == pytest.approx(0.3)
    spread = means["mean of groups"]["pretrained"]
    assert spread.std == pytest.approx(math.sqrt(2 * (0.1 / 4) ** 2 + (0.1 / 2) ** 2))
    assert (spread.low, spread.high) == pytest.approx((0.6 - 1.96 * spread.std, 0.6 + 1.96 * spread.std))


def test_over_seeds_the_spread_is_that_of_seeds() -> None:
    found = score(seeds=3)
    assert found.results["a"].figures["pretrained"] == Figure.over(torch.tensor([0.2, 0.23, 0.26]))
    whole = next(r for r in found.means() if r.protocol == "mean of tasks").figures["pretrained"]
    assert (whole.mean, whole.std, whole.n) == pytest.approx((0.53, 0.03, 3))


def test_no_mean_over_several_metrics() -> None:
    assert [r.protocol for r in score(metric="spearman").means()] == ["mean of one"]


def test_the_verdict_counts_and_names_what_lost() -> None:
    said = score().verdict("raw pixels")
    assert said == "above the untrained encoder on 2 of 3 tasks, clearly on 1."
    assert json.loads(json.dumps(score().record()))["means"][0]["mean"] == "one"


# ---------------------------------------------------------------- a run

SPEC = {"shape": [1, 8, 8], "mean": [0.5], "std": [0.25]}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """90 gray squares whose class is their brightness, asked for twice, and a set that is not there."""
    rng, y = np.random.default_rng(0), np.arange(120) % 3
    x = (rng.integers(0, 60, (120, 8, 8)) + 60 * y[:, None, None]).astype(np.uint8)
    path = tmp_path_factory.mktemp("squares") / "squares.npz"
    np.savez(path, x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    tasks = (
        Task("few squares", str(path), "a", labels=30),
        Task("squares", str(path), "a", protocol="knn"),
        Task("gone", "no-such-set", "b"),
    )
    return Suite("small", "image", "nothing, arXiv:0", ("it is for tests",), tasks)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    kind = modality("image")
    return Model(kind.encoder("convnet-s", SPEC, width=4), kind, SPEC)


def test_it_judges_once_leaves_out_what_it_cannot_and_goes_on(
    model: Model, small: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, said, judged = fingerprint(model.encoder), [], []
    evaluate = run_module.evaluate

    def counted(*args, **kwargs):
        judged.append(kwargs["seed"])
        if len(judged) == 2:
            raise KeyboardInterrupt
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(run_module, "evaluate", counted)
    taking_part = entrant(small, model, "mine")
    with pytest.raises(KeyboardInterrupt):
        run_suite(small, taking_part, tmp_path, at_most=20)
    found = run_suite(small, taking_part, tmp_path, at_most=20, say=said.append)
    assert len(judged) == 3  # the first task was not done again
    assert said == ["squares", "gone"]
    assert list(found.results) == ["few squares", "squares"]
    assert set(found.left_out) == {"gone"}
    assert fingerprint(model.encoder) == before  # frozen
    assert found.about["few squares"]["samples"] == {"train": 24, "validation": 6, "test": 20}
    assert found.results["squares"].figures["raw"].mean > 0.5
    kept = json.loads((tmp_path / "suite.json").read_text())
    assert kept == json.loads(json.dumps(found.record()))
    assert kept["follows"] == small.follows
    assert kept["deviations"] == list(small.deviations)
    row = kept["tasks"][0]
    assert (row["task"], row["group"], row["metric"], row["split"]) == (
        "few squares",
        "a",
        "accuracy",
        "test",
    )
    assert row["figures"]["pretrained"]["low"] <= row["figures"]["pretrained"]["mean"]
    more = run_suite(small, taking_part, tmp_path, at_most=20, seeds=2)
    assert judged[3:] == [1, 1]
    assert more.results["few squares"].figures["pretrained"].n == 2


def test_another_protocol_stands_for_linear(model: Model, small: Suite, tmp_path: Path) -> None:
    one = replace(small, tasks=small.tasks[:1])
    found = run_suite(one, Ready("mine", model), tmp_path, protocol="knn")
    assert found.about["few squares"]["judged by"] == "knn"


def test_layers_that_cannot_be_summed_are_judged_by_what_stands_in(
    model: Model, small: Suite, tmp_path: Path
) -> None:
    one = replace(small, tasks=(replace(small.tasks[0], protocol="layers"),), instead="linear")
    found = run_suite(one, Ready("mine", model), tmp_path)
    assert found.about["few squares"]["judged by"] == "linear"
    assert found.deviations()[-1] == "this encoder's layers cannot be summed: few squares judged by linear"


def test_a_method_is_pretrained_on_each_set(small: Suite, tmp_path: Path) -> None:
    one = replace(small, tasks=small.tasks[1:2], learns=True)
    simclr = entrant(one, "simclr", "simclr", epochs=1)
    simclr.budget["batch_size"] = 32
    found = run_suite(one, simclr, tmp_path)
    assert (tmp_path / "squares" / "seed-0" / "encoder" / "config.json").is_file()
    assert 0.1 < found.results["squares"].figures["pretrained"].mean <= 1


def test_what_cannot_take_part(model: Model, small: Suite, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sentences judges encoders of texts; mine reads images"):
        entrant(SUITES["sentences"], model, "mine")
    with pytest.raises(InputError, match="mine is trained already; leave out epochs"):
        entrant(small, model, "mine", epochs=3)
    with pytest.raises(InputError, match="series pretrains simclr on each set; give --epochs or --minutes"):
        entrant(SUITES["series"], "simclr", "simclr")
    gone = replace(small, tasks=small.tasks[2:])
    with pytest.raises(InputError, match=r'no task of small could be judged; the first one: .*"no-such-set"'):
        run_suite(gone, Ready("mine", model), tmp_path)
    assert not list(tmp_path.iterdir())
    wrong = {
        "seeds is 0": {"seeds": 0},
        "sts judges pairs": {"protocol": "sts"},
        "no protocol": {"protocol": "lin"},
    }
    for message, options in wrong.items():
        with pytest.raises(InputError, match=message):
            run_suite(small, Ready("mine", model), tmp_path, **options)


def test_a_folder_is_of_one_encoder(model: Model, small: Suite, tmp_path: Path) -> None:
    claim(tmp_path / "f", settings(small, Ready("mine", model)), "s.json", "suite")
    claim(tmp_path / "f", settings(small, Ready("mine", model)), "s.json", "suite")
    with torch.no_grad():
        next(model.encoder.parameters()).view(-1)[0] += 1e-3
    with pytest.raises(InputError, match="holds a suite with weights"):
        claim(tmp_path / "f", settings(small, Ready("mine", model)), "s.json", "suite")
