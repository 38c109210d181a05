"""The page of a run: complete, self-contained, escaped, tolerant of what is missing, equal to its inputs."""

import json
import re
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits

from anyview.errors import InputError, RunError
from anyview.report.html import duration, write_report

FILES = (
    "config.yaml",
    "data.json",
    "metrics.csv",
    "health.json",
    "samples.npz",
    "embedding.npz",
    "evaluation.json",
    "verdict.txt",
)
HOSTILE = '</script><script>alert("x")</script>&amp;'
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Parses strictly: every tag must close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str, style: str = "") -> int:
        return sum(t == tag and style in (a.get("class") or "") for t, a in self.tags)


def make_run(run: Path, points: int = 60) -> Path:
    run.mkdir(parents=True)
    rng = np.random.default_rng(0)
    digits = load_digits()
    pixels = (digits.images[:points] * 15.9).astype(np.uint8)[..., None]
    config = {
        "seed": 3,
        "data": {"path": "digits"},
        "method": {"name": "simclr", "temperature": 0.2},
        "encoder": {"name": "convnet-s"},
        "optimizer": {"name": "adamw", "lr": 0.002, "weight_decay": 0.05},
        "training": {"minutes": 1.0, "batch_size": 256, "precision": "fp32"},
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    data = {
        "name": "digits",
        "modality": "image",
        "unit": "images",
        "raw_name": "raw pixels",
        "description": "image 1 x 8 x 8",
        "facts": ["1,437 train, 360 test"],
        "label_names": [f"digit {i}" for i in range(10)],
        "skipped": 3,
    }
    (run / "data.json").write_text(json.dumps(data))
    rows = ["step,epoch,seconds,progress,loss,lr,samples_per_s,wait,grad_norm,rank,rank_of,std,alignment"]
    for i in range(1, 81):
        health = f"{5 + i / 4:.2f},64,0.5,0.4" if i % 10 == 0 else ",,,"
        rows.append(
            f"{i * 10},{i / 8},{i * 0.75},{i / 80},{4 - i / 50},{min(i, 8) / 4000},9100,0.01,1.2,{health}"
        )
    (run / "metrics.csv").write_text("\n".join(rows) + "\n")
    events = [{"step": 400, "text": "collapsing: effective rank 2.1 of 128"}]
    health = {"verdict": "No collapse (effective rank 25 of 64).", "collapsed": False, "events": events}
    (run / "health.json").write_text(json.dumps(health))
    np.savez(run / "samples.npz", original=pixels[:8], views=np.stack([pixels[:8], 255 - pixels[:8]], 1))
    np.savez(
        run / "embedding.npz",
        vectors=rng.normal(size=(points, 16)).astype(np.float32),
        label=digits.target[:points],
        thumb=pixels,
    )
    figures = {
        "pretrained": {"mean": 0.8193, "std": 0.0214, "n": 20},
        "untrained": {"mean": 0.5772, "std": 0.034, "n": 20},
        "raw": {"mean": 0.6601, "std": 0.039, "n": 20},
    }
    lost = {**figures, "raw": {"mean": 0.8888, "std": 0.01, "n": 200}}
    records = [
        {"protocol": "fewshot-1", "metric": "accuracy", "split": "test", "figures": figures},
        {"protocol": "knn", "metric": "accuracy", "split": "test", "figures": lost},
    ]
    (run / "evaluation.json").write_text(json.dumps(records))
    (run / "verdict.txt").write_text("it learned: +16 points over raw pixels with one label a class.\n")
    return run


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "demo")


def read(run: Path) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_a_full_run_has_every_section_and_its_numbers(run):
    page = read(run)
    for words in (
        "simclr on digits",
        "It learned: +16 points over raw pixels",  # the verdict, first
        "No collapse (effective rank 25 of 64).",
        "What was trained on what",
        "image 1 x 8 x 8",
        "1,437 train, 360 test",
        "3 samples (listed in skipped.csv)",
        "adamw, learning rate 0.002, weight decay 0.05",
        "10 epochs · 800 steps",
        "Samples, and what the method saw",
        "view 2",
        "The loss fell from 3.98 to 2.4",
        "Effective rank ends at 25 of 64",
        "end of warm-up",
        "step 400: collapsing: effective rank 2.1 of 128",
        "Clearly above raw pixels and the untrained encoder in 1 of 2 rows",
        "raw pixels win here",
        "Map of 60 samples, coloured by label",
        "of 16 dimensions",
        "anyview embed",
        "model = av.load(",
        "temperature: 0.2",
    ):
        assert words in page.text, words
    assert page.text.index("It learned") < page.text.index("What was trained on what")
    assert page.count("svg", "chart") >= 7
    assert page.count("img") == 8 * 3 + 1  # samples, their two views, the sheet of thumbnails
    assert page.count("circle", "dot") >= 2


def test_figures_equal_the_inputs(run):
    page = read(run)
    table = page.text[page.text.index("The same as figures") :]
    assert re.search(r"1 label a class 57\.7 ± 3\.4 66\.0 ± 3\.9 81\.9 ± 2\.1", table)
    assert re.search(r"57\.7 ± 3\.4 88\.9 ± 1\.0 81\.9 ± 2\.1", table)
    assert "accuracy, nearest neighbours 81.9 % ± 2.1 untrained 57.7 · raw 88.9" in page.text
    assert "training time 60 s 9,100 images/s · waiting for data 1 %" in page.text
    assert "effective rank 25 of 64" in page.text
    html = (run / "report.html").read_text()
    assert "<b>81.9</b>" in html  # clearly best with one label a class
    assert html.count("<b>") == 2
    assert "<b>88.9</b>" in html  # and the row that raw pixels win says so


def test_the_map_carries_every_sample(run):
    html = write_report(run).read_text()
    stored = json.loads(re.search(r'id="map-data">(.*?)</script>', html)[1])
    kept = np.load(run / "embedding.npz")
    assert stored["label"] == kept["label"].tolist()
    assert stored["index"] == list(range(60))
    assert stored["names"][3] == "digit 3"
    assert stored["grid"][0] * stored["grid"][1] >= 60
    assert sorted(int(i) for i in re.findall(r'data-i="(\d+)"', html)) == list(range(60))
    assert html.count('aria-pressed="true"') == 10


@pytest.mark.parametrize("absent", FILES)
def test_each_missing_file_is_tolerated(run, absent):
    (run / absent).unlink()
    page = read(run)
    said = {
        "samples.npz": "holds no views",
        "metrics.csv": "No curve was kept",
        "embedding.npz": "No embedding was kept",
        "evaluation.json": "Not judged yet",
        "config.yaml": "No configuration was kept",
        "verdict.txt": "No collapse (effective rank 25 of 64).",
    }
    assert said.get(absent, "How to use it") in page.text
    if absent == "evaluation.json":
        assert f"anyview evaluate {run} digits" in page.text
        assert "loss at the end 2.4" in page.text


def test_only_a_configuration_is_enough(run):
    for name in FILES[1:]:
        (run / name).unlink()
    assert "No verdict was recorded" in read(run).text


@pytest.mark.parametrize("broken", [name for name in FILES if name != "verdict.txt"])
def test_each_broken_file_is_left_out_and_named(run, broken):
    (run / broken).write_bytes(b"\x00\xff{broken: [")
    assert f"{broken} could not be read" in read(run).text


def test_a_truncated_archive_is_left_out_and_named(run):
    whole = (run / "embedding.npz").read_bytes()
    (run / "embedding.npz").write_bytes(whole[: len(whole) // 2])
    assert "embedding.npz could not be read" in read(run).text


def test_nothing_is_unpickled(run):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (run / "sprung",))

    np.savez(run / "samples.npz", original=np.array([Trap()], dtype=object), views=np.zeros((1, 1, 2, 2, 1)))
    assert "samples.npz could not be read" in read(run).text
    assert not (run / "sprung").exists()


@pytest.mark.parametrize(
    "text", ["[]", "3", '{"figures": {}}', '[{"protocol": "knn"}]', '[{"figures": 3}]', "[3]"]
)
def test_records_of_another_form_are_no_reason_to_fail(run, text):
    (run / "evaluation.json").write_text(text)
    assert "Not judged yet" in read(run).text


def test_text_from_outside_is_escaped_everywhere(tmp_path):
    run = make_run(tmp_path / "a<b>&c")
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["method"]["name"] = config["encoder"]["name"] = config["data"]["path"] = HOSTILE
    config["note"] = HOSTILE
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    data = {"name": HOSTILE, "modality": HOSTILE, "description": HOSTILE, "facts": [HOSTILE], "skipped": 1}
    data["label_names"] = [HOSTILE] * 10
    (run / "data.json").write_text(json.dumps(data))
    health = {"verdict": HOSTILE, "collapsed": True, "events": [{"step": 400, "text": HOSTILE}]}
    (run / "health.json").write_text(json.dumps(health))
    (run / "verdict.txt").write_text(HOSTILE)
    records = json.loads((run / "evaluation.json").read_text())
    for row in records:
        row.update(protocol=HOSTILE, metric=HOSTILE, split=HOSTILE)
        row["figures"][HOSTILE] = row["figures"]["raw"]
    (run / "evaluation.json").write_text(json.dumps(records))
    kept = dict(np.load(run / "samples.npz"))
    np.savez(run / "samples.npz", **kept, titles=np.array([HOSTILE, "view"]))
    metrics = (run / "metrics.csv").read_text().replace("alignment", f'"loss_{HOSTILE.replace(chr(34), "")}"')
    (run / "metrics.csv").write_text(metrics)
    html = write_report(run).read_text()
    page = Page(html)
    assert "alert(" in page.text  # it is shown, as text
    assert "<script>alert" not in html
    assert page.count("script") == 2  # the map's data and the page's own
    stored = re.search(r'id="map-data">(.*?)</script>', html)[1]
    assert json.loads(stored)["names"][0] == HOSTILE
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)


def test_the_page_loads_nothing_from_elsewhere(run):
    html = write_report(run).read_text()
    for tag, attributes in Page(html).tags:
        assert (
            (attributes.get("src") or "data:").startswith("data:image/")
            if tag == "img"
            else "src" not in attributes
        )
        assert tag not in ("link", "iframe", "object", "base")
        assert "xlink:href" not in attributes
    assert "url(" not in re.sub(r"url\(\$\{sheet\.src\}\)", "", html)
    assert "@import" not in html
    assert "http" not in html


def test_made_again_it_is_the_same(run):
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_a_write_that_fails_leaves_the_old_page_and_no_litter(run, monkeypatch):
    before = write_report(run).read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(RunError, match="disk full"):
        write_report(run)
    assert (run / "report.html").read_bytes() == before
    assert sorted(p.name for p in run.iterdir()) == sorted([*FILES, "report.html"])


def test_what_is_no_run_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="no run folder"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(InputError, match="not a run folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_page_stays_small_with_photographs(run, monkeypatch):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2000, 48, 48, 3), dtype=np.uint8)  # the worst that can be compressed
    np.savez(run / "embedding.npz", vectors=rng.normal(size=(2000, 64)).astype(np.float32), thumb=noise)
    big = rng.integers(0, 256, (8, 224, 224, 3), dtype=np.uint8)
    np.savez(run / "samples.npz", original=big, views=np.stack([big] * 10, 1))
    quick = lambda vectors, seed=0: (vectors[:, :2].astype(np.float64), "first two")  # noqa: E731
    monkeypatch.setattr("anyview.report.embedding.flat_map", quick)
    tracemalloc.start()
    page = write_report(run)
    assert page.stat().st_size < 3_000_000
    assert tracemalloc.get_traced_memory()[1] < 200_000_000
    tracemalloc.stop()
    assert page.read_text().count("data-i=") == 1000


def test_titles_and_masks_of_masked_methods(run):
    kept = dict(np.load(run / "samples.npz"))
    np.savez(run / "samples.npz", **kept, titles=np.array(["masked input", "reconstruction"]))
    text = read(run).text
    assert "masked input" in text
    assert "view 1" not in text
    np.savez(run / "samples.npz", **kept, mask=np.ones((8, 4, 4), bool))
    page = read(run)
    assert "hidden" in page.text
    assert page.count("img") == 8 * 4 + 1


@pytest.mark.parametrize("labels", [None, "none known", "one", "many"])
def test_maps_without_colours(run, labels):
    rng = np.random.default_rng(0)
    kinds = {"none known": np.full(40, -1), "one": np.zeros(40, int), "many": np.arange(40)}
    extra = {} if labels is None else {"label": kinds[labels]}
    np.savez(run / "embedding.npz", vectors=rng.normal(size=(40, 8)).astype(np.float32), **extra)
    html = write_report(run).read_text()
    page = Page(html)
    assert "coloured by label" not in page.text
    assert page.count("button") == 0
    assert 'id="sheet"' not in html
    assert ("40 labels: too many for colours" in page.text) == (labels == "many")


def test_samples_without_a_label_are_their_own_group(run):
    labels = np.repeat([-1, 0, 1], 20)
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    np.savez(run / "embedding.npz", vectors=vectors, label=labels)
    page = read(run)
    assert page.count("button") == 3
    assert "unlabelled 20" in page.text


def test_a_collapsed_run_says_so_and_still_has_its_map(run):
    health = {"verdict": "Collapsed: effective rank 1.0 of 64.", "collapsed": True, "events": []}
    (run / "health.json").write_text(json.dumps(health))
    (run / "verdict.txt").unlink()
    np.savez(run / "embedding.npz", vectors=np.ones((60, 16), np.float32))
    page = read(run)
    assert page.count("div", "verdict warn") == 1
    assert "60 samples use 1 of 16 dimensions" in page.text
    assert "All vectors are one point" in page.text


def test_a_low_rank_of_many_dimensions_is_still_seen(run):
    rows = [f"{i},{i},1.0,{20 + i % 5},2048" for i in range(1, 20)]
    (run / "metrics.csv").write_text("\n".join(["step,seconds,loss,rank,rank_of", *rows]) + "\n")
    html = write_report(run).read_text()
    chart = html[html.index("effective rank (dimensions)") :]
    ticks = re.findall(r'class="tick" text-anchor="end">([^<]+)', chart[: chart.index("</svg>")])
    assert ticks == ["1", "10", "100", "1,000"]  # a log axis
    assert "Effective rank ends at 24 of 2,048" in html


def test_one_logged_row_and_gaps_are_enough(run):
    (run / "metrics.csv").write_text("step,seconds,loss,wait\n10,1.5,2.5,\n20,2.5,nan,\n30,x\n")
    assert "The loss stayed at 2.5" in read(run).text


@pytest.mark.parametrize(("seconds", "text"), [(61.4, "61 s"), (754, "12 min 34 s"), (7500, "2 h 5 min")])
def test_durations(seconds, text):
    assert duration(seconds) == text
