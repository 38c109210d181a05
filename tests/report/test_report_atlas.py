"""The page of ``explore``: its table tells what samples are, its server answers it alone, a browser shows it."""

import http.client
import importlib.util
import io
import json
import shutil
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "battery"))
from cells import SAMPLES

import anyview as av
from anyview import api
from anyview.cli.main import main
from anyview.errors import InputError
from anyview.modalities import modality
from anyview.report import atlas, projection
from anyview.report.atlas import Page, make_page, near
from anyview.report.serve import Server
from anyview.training.model import Model


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of what embedding-atlas brings."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>map</title>")
    (folder / "assets" / "code.js").write_text("1")
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(atlas, "static_files", lambda: folder)
    return folder


def fresh(kind: str) -> Model:
    data, m = SAMPLES[kind](), modality(kind)
    return Model(
        m.encoder(m.default_encoder(data.spec, len(data.train), "two_views"), data.spec), m, data.spec
    )


def table(page: Page):
    return pq.read_table(io.BytesIO(page.files["data/dataset.parquet"]))


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_row_a_sample_of_every_kind(kind: str, brought: Path) -> None:
    data = SAMPLES[kind]()
    page = make_page(fresh(kind), data.splits, 12, seed=3)
    rows = table(page)
    assert rows.num_rows == page.samples == 12
    said = set(rows.column_names) - {
        "sample",
        "map x",
        "map y",
        "neighbours",
        "cluster",
        "label",
        "split",
        "place",
    }
    assert said, "nothing says what a sample is"
    for others in rows["neighbours"].to_pylist():
        assert len(others["ids"]) == 11
        assert others["distances"] == sorted(others["distances"])
    props = json.loads(page.files["data/metadata.json"])["props"]
    point = props["defaultChartsConfig"]["embedding"]["data"]
    assert {point["x"], point["y"], point["category"], point["neighbors"]} <= set(rows.column_names)


def test_what_is_told_is_what_was_read(brought: Path) -> None:
    texts = ["one small step", "a giant leap", "one giant step", "a small leap"]
    data = av.open(texts)
    model = Model(modality("text").encoder("bag-s", data.spec), modality("text"), data.spec)
    assert table(make_page(model, data.splits, 10))["text"].to_pylist() == texts

    data = SAMPLES["audio"]()
    rows = table(make_page(fresh("audio"), {"train": data.train}, 5))
    first = rows["sound"].to_pylist()[0]["bytes"]
    with wave.open(io.BytesIO(first)) as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert file.getframerate() == data.spec["rate"]
    assert any(
        np.array_equal(heard, one.numpy())
        for one in data.train.fetch(torch.arange(len(data.train))).x.unpack()
    )

    data = SAMPLES["image"]()
    rows = table(make_page(fresh("image"), {"train": data.train}, 5))
    shown = Image.open(io.BytesIO(rows["picture"].to_pylist()[0]["bytes"]))
    assert max(shown.size) >= atlas.LEAST


def test_columns_of_the_data_do_not_take_the_place_of_the_pages_own(brought: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["cluster", "sample", "map x", "neighbours", "split", "height"]
    data = av.open(pd.DataFrame({name: rng.normal(size=20) for name in names}), modality="table")
    model = Model(modality("table").encoder("mlp-s", data.spec), modality("table"), data.spec)
    rows = table(make_page(model, {"train": data.train}, 20))
    assert rows["sample"].to_pylist() == list(range(20))
    assert rows["cluster"][0].as_py().startswith("cluster ")
    assert {f"{name} of the data" for name in names[:-1]} | {"height"} <= set(rows.column_names)


def test_neighbours_are_the_nearest_by_cosine() -> None:
    x = torch.randn(40, 6)
    ids, apart = near(x, 5)
    unit = x / x.norm(dim=1, keepdim=True)
    for i in range(40):
        cosines = [(float(unit[i] @ unit[j]), j) for j in range(40) if j != i]
        best = sorted(cosines, reverse=True)[:5]
        assert ids[i].tolist() == [j for _, j in best]
        torch.testing.assert_close(apart[i], torch.tensor([1 - c for c, _ in best]))


@pytest.fixture
def server(brought: Path) -> Iterator[Server]:
    with Server(Page(brought, {"data/metadata.json": b"{}"}, 3, "a map")) as serving:
        threading.Thread(target=serving.serve_forever, args=[0.02], daemon=True).start()
        yield serving
        serving.shutdown()


def asked(
    server: Server, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read(), dict(answer.getheaders())


def test_its_own_page_gets_what_it_asks_for(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    status, body, headers = asked(server, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html")
    assert b"<title>map" in body
    assert "Access-Control-Allow-Origin" not in headers
    assert "'none'" in headers["Content-Security-Policy"]
    assert asked(server, "/assets/code.js?v=1")[2]["Content-Type"] == "text/javascript"
    own = {"Origin": server.url.rstrip("/"), "Sec_Fetch_Site": "same-origin"}
    assert asked(server, "/data/metadata.json", **own)[:2] == (200, b"{}")
    assert asked(server, "/data/metadata.json", "HEAD")[:2] == (200, b"")
    assert asked(server, "/", Host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        (
            "/data/metadata.json",
            "GET",
            {"Host": "evil.example"},
            421,
        ),  # a name made to resolve to this machine
        ("/data/metadata.json", "GET", {"Host": "127.0.0.1"}, 421),
        ("/data/metadata.json", "GET", {"Origin": "http://evil.example"}, 403),
        ("/data/metadata.json", "GET", {"Origin": "null"}, 403),
        ("/data/metadata.json", "GET", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("/data/metadata.json", "GET", {"Sec_Fetch_Site": "same-site"}, 403),  # another port of this machine
        ("/../secret", "GET", {}, 404),
        ("/assets/..%2f..%2fsecret", "GET", {}, 404),
        ("//etc/passwd", "GET", {}, 404),
        ("/%2fetc%2fpasswd", "GET", {}, 404),
        ("/%00", "GET", {}, 404),
        ("/data/dataset.parquet", "GET", {}, 404),
        ("/data/metadata.json", "POST", {}, 501),
        ("/data/metadata.json", "OPTIONS", {}, 501),
    ],
)
def test_nobody_else_gets_anything(
    server: Server, path: str, method: str, headers: dict, status: int
) -> None:
    got, body, _ = asked(server, path, method, **headers)
    assert got == status
    assert b"secret" not in body
    assert b"{}" not in body


def test_what_cannot_be_shown_is_one_line(
    brought: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(InputError, match="cannot listen on port"):
        Server(server.page, server.server_port)
    with pytest.raises(InputError, match="3 samples or more, not 2"):
        api.explore(fresh("image"), "digits", samples=2)
    with pytest.raises(InputError, match="1 of 1 samples have a finite embedding"):
        make_page(fresh("image"), {"train": SAMPLES["image"]().train.take(torch.tensor([0]))}, 10)
    monkeypatch.undo()
    monkeypatch.setattr(atlas.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "anyview\[explore\]"'):
        api.explore(fresh("image"), SAMPLES["image"]())
    assert main(["explore", "nowhere", "digits"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_umap_keeps_apart_what_is_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("umap") is None:
        pytest.skip("no umap-learn here")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # of so few samples compiling takes longer
    x = np.random.default_rng(0).normal(size=(16, 5))
    x[8:, 0] += 50
    flat = projection._umap(x, seed=0)
    assert flat.shape == (16, 2)
    near, far = (
        np.linalg.norm(flat[:8].mean(0) - flat[part].mean(0)) for part in (slice(0, 4), slice(8, 16))
    )
    assert far > 2 * near


def scattered(reduced: np.ndarray, seed: int) -> np.ndarray:
    """In place of UMAP, which takes long to compile."""
    return np.random.default_rng(seed).uniform(-3, 3, (len(reduced), 2))


def test_a_browser_draws_the_map_and_asks_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("embedding_atlas")
    monkeypatch.setattr(projection, "_umap", scattered)
    browser = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium here")
    from browser import Tab

    digits = av.open("digits")
    m = modality("image")
    model = Model(m.encoder("convnet-s", digits.spec), m, digits.spec)
    with api.explore(model, digits, samples=300) as serving, Tab(browser, tmp_path) as tab:
        threading.Thread(target=serving.serve_forever, args=[0.02], daemon=True).start()
        tab.open(serving.url)
        tab.until(lambda: "300 points" in tab.text() or None, seconds=60)
        tab.until(lambda: drawn(tab), seconds=60).save(tmp_path / "map.png")
        assert all(url.startswith((serving.url, "blob:", "data:")) for url in tab.asked), tab.asked
        assert not [error for error in tab.errors if "Content Security Policy" in error]
        serving.shutdown()


def drawn(tab: Any) -> Image.Image | None:
    """The screen, once the field of the map has points in the colours of most of ten classes."""
    picture = tab.picture()
    if picture is None:
        return None
    field = np.asarray(picture.convert("HSV").crop((20, 90, 880, 430))).reshape(-1, 3)
    hue = field[(field[:, 1] > 60) & (field[:, 2] > 100), 0]  # points let the ground shine through
    return picture if (np.bincount(hue // 16, minlength=16) > 50).sum() >= 5 else None
