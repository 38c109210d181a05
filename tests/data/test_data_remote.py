"""Data at an address: fetched whole when small, else shards that are streamed."""

import io
import itertools
import os
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from serving import serving
from test_data_shards import png, shard, values, wav

import anyview.data as data
from anyview.data import Loader, batches, streamed
from anyview.data.readers import audio as audio_reader
from anyview.data.readers import image as image_reader
from anyview.data.waiting import Waiting
from anyview.errors import InputError, RunError

SHARDS, EACH, WINDOW = 9, 6, 3
#: the command, in a process of its own that holds no photos
COMMAND = """
import sys
from anyview.cli.main import main
from anyview.data.readers import image
image.MAX_HELD_BYTES = 0
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYVIEW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(streamed, "WAITS", (0.01, 0.01))
    (tmp_path / "site").mkdir()
    with serving(tmp_path / "site") as found:
        yield found


@pytest.fixture
def photos(server, monkeypatch):
    """The address of nine shards of six photos, sample i all of gray i, that are too large to be fetched or held."""
    monkeypatch.setenv("ANYVIEW_FETCH_GIB", "0")
    monkeypatch.setattr(image_reader, "MAX_HELD_BYTES", 0)
    monkeypatch.setattr(streamed, "WINDOW", WINDOW)
    for number in range(SHARDS):
        places = range(number * EACH, (number + 1) * EACH)
        members = {f"{i}.png": png(i) for i in places} | {f"{i}.cls": b"%d" % (i % 3) for i in places}
        shard(server.root / "photos" / f"x-{number:03d}.tar", members)
    return f"{server.address}/photos/x-{{000..{SHARDS - 1:03d}}}.tar"


def settled(source):
    """Waits until all shards that are wanted have come, or were given up."""
    far = source._items.remote
    for _ in range(1000):
        if not far._threads:
            return far
        time.sleep(0.005)
    raise AssertionError("shards never came")


def test_small_files_are_fetched_once_and_read_as_if_they_lay_here(server):
    shard(server.root / "set" / "train" / "0.tar", {f"{i}.png": png(i) for i in range(4)})
    shard(server.root / "set" / "val" / "0.tar", {f"{i}.png": png(9) for i in range(2)})
    found = data.open(f"{server.address}/set/{{train,val}}/0.tar")
    assert (found.name, values(found.train), values(found.split("validation"))) == (
        "set",
        [0, 1, 2, 3],
        [9, 9],
    )
    assert len(server.asked) == 2
    data.open(f"{server.address}/set/{{train,val}}/0.tar")
    assert len(server.asked) == 2
    shard(server.root / "set" / "val" / "0.tar", {"0.png": png(7)})  # another file at the same address
    assert values(data.open(f"{server.address}/set/{{train,val}}/0.tar").split("validation")) == [7]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_who_waits_for_files_is_told_how_much_has_come(server, monkeypatch):
    shard(server.root / "set" / "train" / "0.tar", {f"{i}.png": png(i) + bytes(10**6) for i in range(3)})
    monkeypatch.setattr(sys, "stderr", Terminal())
    data.open(f"{server.address}/set/train/0.tar")
    said = sys.stderr.getvalue()
    assert said.startswith("\r\x1b[Kfetching 1 file · 0 of 3 MB")
    assert said.endswith("\r\x1b[Kfetching 1 file · 3 of 3 MB\r\x1b[K")
    monkeypatch.setattr(sys, "stderr", Terminal())
    data.open(f"{server.address}/set/train/0.tar")
    assert sys.stderr.getvalue() == ""  # all of it lies here


def test_the_hubs_quick_way_to_fetch_is_kept(tmp_path, monkeypatch):
    class Hub:
        def get_file(self, remote, local):  # one that told of its parts would be slower
            (tmp_path / local).write_bytes(bytes(20))

    monkeypatch.setattr(streamed, "filesystem", lambda address: (Hub(), address))
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Waiting("fetching", 20) as waiting:
        streamed.fetch("hf://datasets/a/b", tmp_path / "b", lambda path: None, waiting)
    assert (tmp_path / "b").read_bytes() == bytes(20)
    assert sys.stderr.getvalue().endswith("fetching · 20 of 20\r\x1b[K")


def test_what_comes_again_is_counted_once(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Waiting("fetching", None, 10, "tens") as waiting:
        for part, amount in (("a", 30), ("b", 20), ("a", 0), ("a", 10)):
            waiting.at(part, amount)
    shown = sys.stderr.getvalue().split("\r\x1b[K")
    assert shown == ["", *(f"fetching · {n} tens" for n in (0, 3, 5, 2, 3)), ""]
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Waiting("fetching", 2) as waiting:
        waiting.at("a", 1)
    assert sys.stderr.getvalue() == ""


def test_tables_come_from_addresses_too(server):
    pq.write_table(pa.table({"text": ["a red house", "two dogs"] * 4}), server.root / "words.parquet")
    found = data.open(f"{server.address}/words.parquet")
    assert (found.name, found.modality, len(found.train)) == ("words", "text", 8)


def test_streamed_shards_give_what_files_give(server, photos):
    here, there = data.open(server.root / "photos").train, data.open(photos).train
    assert values(there) == values(here) == list(range(SHARDS * EACH))
    assert there.label.tolist() == here.label.tolist()
    assert there.spec == here.spec
    assert (data.open(photos).name, data.open(photos).describe()[0]) == ("photos", "54 train")


def test_headers_are_read_once(server, photos):
    data.open(photos)
    server.asked.clear()
    data.open(photos)
    starts = [start for _, start in server.asked]
    assert None not in starts
    assert 0 not in starts  # where the first header of a shard is


def test_an_epoch_ends_with_a_window_before_it_goes_on(photos):
    source = data.open(photos).train
    loader = Loader(source, 9, seed=1, workers=0)
    epochs = [torch.cat([next(loader).index for _ in range(6)]) for _ in range(2)]
    for order in epochs:
        assert sorted(order.tolist()) == list(range(SHARDS * EACH))
        part = order[: WINDOW * EACH] // EACH
        assert len(part.unique()) == WINDOW
        assert part.tolist() != part.sort().values.tolist()  # mixed within
    assert epochs[0].tolist() != epochs[1].tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_goes_on_at_its_batch(photos, workers):
    def some(start, count):
        loader = Loader(data.open(photos).train, 6, seed=4, start_step=start, workers=workers)
        found = [(b.index.tolist(), b.x[:, 0, 0, 0].tolist()) for b in itertools.islice(loader, count)]
        loader.close()
        return found

    whole = some(0, 15)
    assert all(index == gray for index, gray in whole)
    assert some(5, 10) == whole[5:]


def test_a_killed_run_on_streamed_shards_resumes_to_the_same_weights(server, photos, tmp_path):
    def start(*args):
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *args],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ends(process):
        try:
            out = process.communicate(timeout=90)[0]
        finally:
            process.kill()
        assert process.returncode == 0, out

    options = ["--epochs", "8", "--batch-size", "6", "--device", "cpu"]
    options += ["--set", "checkpoint_steps=5", "--set", "health=false"]
    killed, whole = (
        start("pretrain", "simclr", photos, *options, "--out", name) for name in ("killed", "whole")
    )
    saved = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    end = time.monotonic() + 90
    while not saved.exists() and killed.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    killed.kill()
    out = killed.communicate()[0]
    assert saved.exists(), out
    assert not (tmp_path / "killed" / "encoder").exists()
    assert 0 < torch.load(saved, weights_only=True)["global_step"] < 8 * SHARDS
    ends(whole)
    ends(start("resume", "killed"))
    one, other = (
        load_file(tmp_path / name / "encoder" / "model.safetensors") for name in ("killed", "whole")
    )
    assert server.whole()  # shards came, ahead of the training
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_processes_share_a_batch_as_one_would_see_it(photos):
    source = data.open(photos).train
    parts = [Loader(source, 8, seed=2, rank=r, world_size=2, workers=0) for r in range(2)]
    one = Loader(source, 8, seed=2, workers=0)
    for step in range(12):
        assert torch.cat([part.indices(step) for part in parts]).equal(one.indices(step))


def test_shards_come_before_they_are_read(server, photos):
    source = data.open(photos).train
    order = source.order(torch.Generator().manual_seed(0))
    tell = source.ahead(order)
    window = WINDOW * EACH
    tell(order[:window])
    settled(source)
    assert len(server.whole()) == 2 * WINDOW
    server.asked.clear()
    assert source.fetch(order[: 2 * window]).x[:, 0, 0, 0].tolist() == order[: 2 * window].tolist()
    assert server.asked == []
    tell(order[window : window + 4])
    settled(source)
    assert 0 < len(server.whole()) <= WINDOW


def test_what_is_read_in_order_comes_in_order(server, photos):
    source = data.open(photos).train
    server.asked.clear()
    seen = []
    for batch in batches(source, 10, workers=0):
        seen += batch.x[:, 0, 0, 0].tolist()
        settled(source)
    assert seen == list(range(SHARDS * EACH))
    assert sorted(server.whole()) == sorted(f"/photos/x-{i:03d}.tar" for i in range(SHARDS))


def test_a_few_samples_of_each_shard_are_read_by_their_places(server, photos):
    source = data.open(photos).train.take(torch.arange(0, SHARDS * EACH, EACH))
    server.asked.clear()
    assert [b.x[:, 0, 0, 0].tolist() for b in batches(source, 20, workers=0)] == [
        list(range(0, SHARDS * EACH, EACH))
    ]
    assert not settled(source)._threads
    assert server.whole() == []


def test_copies_leave_room(server, photos, monkeypatch):
    size = (server.root / "photos" / "x-000.tar").stat().st_size
    monkeypatch.setenv("ANYVIEW_STREAM_GIB", f"{(6.5 * size) / 2**30:.9f}")
    source = data.open(photos).train
    for batch in batches(source, EACH, workers=0):
        assert batch.x[:, 0, 0, 0].tolist() == batch.index.tolist()
        far = settled(source)
        assert sum(path.exists() for path in map(far.copy, range(SHARDS))) <= 6
    assert not far.copy(0).exists()
    assert far.copy(SHARDS - 1).exists()


def test_without_any_room_all_is_read_by_its_place(server, photos, monkeypatch):
    monkeypatch.setenv("ANYVIEW_STREAM_GIB", "0")
    source = data.open(photos).train
    assert [b.x[0, 0, 0, 0].item() for b in batches(source, 50, workers=0)] == [0, 50]
    assert server.whole() == []


def test_a_server_that_stumbles_is_asked_again(server, photos):
    source = data.open(photos).train
    server.failing = 2
    assert source.fetch(torch.tensor([7])).x[0, 0, 0, 0] == 7
    assert source.skipped == []
    server.failing = 2
    assert len(data.open(photos).train) == SHARDS * EACH
    server.failing = 1000
    with pytest.raises(RunError, match=r"x-\d+.tar cannot be reached \(.*503.*\); try again later"):
        data.open(photos)


def test_nobody_at_an_address_is_not_nothing_there(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(RunError, match=r"x.tar cannot be reached \(.*\); try again later"):
        data.open(f"{server.address}/x.tar")


def test_a_server_that_is_gone_ends_the_run_and_skips_nothing(server, photos):
    source = data.open(photos).train
    server.failing = 1000
    with pytest.raises(RunError, match=r"x-001.tar cannot be reached \(.*503.*\); try again later"):
        source.fetch(torch.tensor([7]))
    loader = Loader(source, 8, workers=1)
    with pytest.raises(RunError, match=r"^http.*x-\d+.tar cannot be reached \(.*503.*\); try again later$"):
        next(loader)
    loader.close()
    assert source.skipped == []


def test_what_no_address_gives_is_one_line(server, photos, monkeypatch):
    with pytest.raises(InputError, match=r"there is nothing at http.*none.tar"):
        data.open(f"{server.address}/none.tar")
    with pytest.raises(InputError, match='no way is known to read from "ftpx://"'):
        data.open("ftpx://somewhere/x.tar")
    with pytest.raises(InputError, match=r"\{abc\} in .* is no list; write \{000..123\} or \{a,b\}"):
        data.open(f"{server.address}/x-{{abc}}.tar")
    (server.root / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"too many to fetch, and x.csv is no shard \(.tar\)"):
        data.open(f"{server.address}/x.csv")
    server.ranges = False
    shard(server.root / "whole.tar", {"0.png": png(0)})
    with pytest.raises(InputError, match="gives no parts of files; fetch it yourself"):
        data.open(f"{server.address}/whole.tar")
    server.ranges = True
    cut = (server.root / "whole.tar").read_bytes()[:1000]
    (server.root / "cut.tar").write_bytes(cut)
    with pytest.raises(InputError, match=r"cut.tar cannot be read as a tar file"):
        data.open(f"{server.address}/cut.tar")
    monkeypatch.setenv("ANYVIEW_FETCH_GIB", "few")
    with pytest.raises(InputError, match="ANYVIEW_FETCH_GIB is few; give a number of GiB"):
        data.open(f"{server.address}/x.csv")
    monkeypatch.setenv("ANYVIEW_FETCH_GIB", "0")
    server.failing, server.status = 1000, 403
    shard(server.root / "secret.tar", {"0.png": png(0)})
    with pytest.raises(InputError, match=r"secret.tar may not be read; log in, or look at the address"):
        data.open(f"{server.address}/secret.tar")


def test_recordings_and_captioned_images_are_streamed(server, monkeypatch):
    monkeypatch.setenv("ANYVIEW_FETCH_GIB", "0")
    monkeypatch.setattr(image_reader, "MAX_HELD_BYTES", 0)
    monkeypatch.setattr(audio_reader, "MAX_HELD_BYTES", 0)
    shard(
        server.root / "sounds.tar",
        {f"{i}.wav": wav(0.1 * (i + 1)) for i in range(3)} | {"9.txt": b"no sound"},
    )
    sounds = data.open(f"{server.address}/sounds.tar")
    here = data.open(server.root / "sounds.tar")
    assert (sounds.modality, len(sounds.train), len(sounds.skipped)) == ("audio", 3, 1)
    every = torch.arange(3)
    assert sounds.train.fetch(every).x.values.equal(here.train.fetch(every).x.values)
    captions = ["a red house", "two small dogs", "the sea at night", "a plate of rice"]
    members = {f"{i}.png": png(i) for i in range(4)} | {f"{i}.txt": captions[i].encode() for i in range(4)}
    shard(server.root / "pairs.tar", members)
    pairs = data.open(f"{server.address}/pairs.tar")
    assert pairs.modality == "image_text"
    loader = Loader(pairs.train, 2, workers=0)
    batch = next(loader)
    assert batch.x["image"][:, 0, 0, 0].tolist() == batch.index.tolist()
    settled(pairs.train.images)
    assert "/pairs.tar" in server.whole()


def test_folders_and_wildcards_of_other_file_systems(tmp_path, monkeypatch):
    import fsspec

    monkeypatch.setenv("ANYVIEW_CACHE", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    for number in range(2):
        made = shard(tmp_path / f"{number}.tar", {f"{number}.png": png(number)})
        memory.pipe(f"/bucket/set/train-{number}.tar", made.read_bytes())
    memory.pipe("/bucket/set/.hidden", b"")
    for address in ("memory://bucket/set/", "memory://bucket/set/train-*.tar"):
        found = data.open(address)
        assert (found.name, values(found.train)) == ("set", [0, 1])
    memory.rm("/bucket", recursive=True)
    with pytest.raises(InputError, match="there is nothing at memory"):
        data.open("memory://bucket/set/train-*.tar")
