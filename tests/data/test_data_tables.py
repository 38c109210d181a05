"""Parquet files in the Hugging Face image convention, and datasets by name."""

import errno
import gzip
import hashlib
import io
import json
import os
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import anyview.data as data
from anyview.data import named, streamed
from anyview.data import parts as parts_module
from anyview.data.readers import image as image_reader
from anyview.errors import InputError, RunError


def png(value):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


def write(path, count=4, metadata=None, image="image", **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({image: [{"bytes": png(i), "path": f"{i}.png"} for i in range(count)], **columns})
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def everything(source):
    return source.fetch(torch.arange(len(source)))


def test_one_file_is_train(tmp_path):
    path = write(
        tmp_path / "photos.parquet", label=[0, 1, 1, 0], metadata={"label_names": json.dumps(["a", "b"])}
    )
    found = data.open(path)
    assert (found.name, list(found.splits), found.label_names) == ("photos", ["train"], ["a", "b"])
    batch = everything(found.train)
    assert batch.x[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert batch.label.tolist() == [0, 1, 1, 0]


def test_folder_of_files_and_shards(tmp_path):
    write(tmp_path / "train-00000-of-00002.parquet")
    write(tmp_path / "train-00001-of-00002.parquet", 2)
    write(tmp_path / "val.parquet", 1)
    write(tmp_path / "extra.parquet", 3)
    found = data.open(tmp_path)
    assert {name: len(s) for name, s in found.splits.items()} == {"train": 6, "validation": 1, "extra": 3}
    assert list(data.open(tmp_path, split="extra").splits) == ["extra"]
    assert len(data.open(tmp_path, split="extra").train) == 3
    with pytest.raises(InputError, match='no split "extras"'):
        data.open(tmp_path, split="extras")


def test_label_columns(tmp_path):
    features = {"info": {"features": {"kind": {"names": ["x", "y"], "_type": "ClassLabel"}}}}
    path = write(
        tmp_path / "data.parquet",
        image="photo",
        kind=[0, 1, 1, 0],
        text=["b", "a", None, "b"],
        metadata={"huggingface": json.dumps(features), "text_names": json.dumps(["not", "these"])},
    )
    assert data.open(path).train.label is None
    assert data.open(path, label="kind").label_names == ["x", "y"]
    by_text = data.open(path, label="text")
    assert (by_text.label_names, by_text.train.label.tolist()) == (["a", "b"], [1, 0, -1, 1])
    score = write(tmp_path / "score.parquet", label=[0.5, 1.5, 2.5, 3.5])
    targets = data.open(score)  # fractions are no classes
    assert targets.train.label.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert (targets.train.label.dtype, targets.label_names) == (torch.float32, None)
    assert any("targets 0.5 to 3.5" in fact for fact in targets.describe())
    with pytest.raises(InputError, match=r'^data.parquet has no column "knid"; did you mean "kind"'):
        data.open(path, label="knid")
    with pytest.raises(
        InputError, match=r'^data.parquet has no column "zzz" \(columns: photo, kind, text\)$'
    ):
        data.open(path, label="zzz")


def test_rows_that_are_no_images(tmp_path):
    values = [
        {"bytes": png(1), "path": None},
        {"bytes": b"text", "path": None},
        {"bytes": None, "path": None},
        None,
    ]
    pq.write_table(pa.table({"image": values, "label": [3, 1, 2, 0]}), tmp_path / "data.parquet")
    found = data.open(tmp_path / "data.parquet")
    assert found.train.label.tolist() == [3]
    assert [s.path for s in found.skipped] == [f"data.parquet row {i}" for i in (1, 2, 3)]
    pq.write_table(
        pa.table({"id": [1], "audio": [{"bytes": b"RIFF", "path": "a"}]}), tmp_path / "data.parquet"
    )
    with pytest.raises(InputError, match=r"no column of images \(columns: id, audio\)"):
        data.open(tmp_path / "data.parquet", modality="image")


def test_images_by_path_beside_the_table(tmp_path, photo):
    photo(tmp_path / "img" / "a.png", (8, 8))
    pq.write_table(pa.table({"image": [{"bytes": None, "path": "img/a.png"}]}), tmp_path / "data.parquet")
    assert data.open(tmp_path / "data.parquet").spec["shape"] == [3, 8, 8]


def test_large_tables_are_memory_mapped_and_stream(tmp_path, monkeypatch):
    path = write(tmp_path / "data.parquet", 40, label=list(range(40)))
    held = everything(data.open(path).train)
    monkeypatch.setenv("ANYVIEW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(parts_module, "MAX_TABLE_BYTES", 0)
    monkeypatch.setattr(image_reader, "MAX_HELD_BYTES", 0)
    for _ in range(2):
        found = data.open(path)
        assert not found.train.in_memory
        batch = everything(found.train)
        assert torch.equal(batch.x, held.x)
        assert torch.equal(batch.label, held.label)
    assert len(list((tmp_path / "cache" / "arrow").iterdir())) == 2  # images and labels, once each


def test_digits_are_always_there(monkeypatch):
    monkeypatch.delenv("ANYVIEW_DATA", raising=False)
    found = data.open("digits")
    assert {name: len(s) for name, s in found.splits.items()} == {"train": 1437, "test": 360}
    assert found.spec["shape"] == [1, 8, 8]
    assert found.label_names == [str(i) for i in range(10)]
    x = everything(found.train).x
    assert (int(x.min()), int(x.max())) == (0, 255)
    assert len(x.unique()) == 17
    counts = found.split("test").label.bincount()
    assert counts.min() >= 34
    assert counts.max() <= 38
    assert torch.equal(x, everything(data.open("digits").train).x)


def remote(path, kind="md5"):
    return named.Remote(path.as_uri(), f"{kind}:{hashlib.new(kind, path.read_bytes()).hexdigest()}")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYVIEW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ANYVIEW_DATA", raising=False)
    return tmp_path / "cache"


def test_cifar10_from_its_archive(tmp_path, cache):
    rng = np.random.default_rng(0)
    path = tmp_path / "cifar-10-binary.tar.gz"
    records = {}
    with tarfile.open(path, "w:gz") as archive:
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            records[name] = rng.integers(0, 256, (10, 3073), dtype=np.uint8)
            records[name][:, 0] = np.arange(10)
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = records[name].size
            archive.addfile(member, io.BytesIO(records[name].tobytes()))
    source = remote(path, "sha256")
    found = image_reader.ImageReader().read(named.cifar10(source))
    assert {name: len(s) for name, s in found.splits.items()} == {"train": 50, "test": 10}
    assert found.label_names[:2] == ["airplane", "automobile"]
    assert np.array_equal(
        everything(found.split("test")).x.numpy().reshape(10, -1), records["test_batch"][:, 1:]
    )
    path.unlink()
    assert named.cifar10(source).name == "cifar10"  # from the cache now


def idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(head + array.tobytes()))
    return remote(path)


def test_fashion_mnist_from_its_files(tmp_path, cache):
    x, y = (
        np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8),
        np.arange(20, dtype=np.uint8) % 10,
    )
    files = [idx(tmp_path / f"{i}.gz", a) for i, a in enumerate((x, y, x[:10], y[:10]))]
    found = image_reader.ImageReader().read(named.fashion_mnist(files))
    assert found.label_names[9] == "Ankle boot"
    assert np.array_equal(everything(found.train).x[:, 0].numpy(), x)
    assert found.split("test").label.tolist() == y[:10].tolist()


def test_a_fetched_file_must_be_the_right_one(tmp_path, cache):
    file = tmp_path / "a.gz"
    file.write_bytes(b"something else")
    with pytest.raises(RunError, match="is not the file it was"):
        named.fetch("x", named.Remote(file.as_uri(), "md5:" + "0" * 32))
    with pytest.raises(RunError, match=r"nothing at .*none.gz; or put none.gz into"):
        named.fetch("x", named.Remote((tmp_path / "none.gz").as_uri(), "md5:" + "0" * 32))
    assert list((cache / "x").iterdir()) == []
    with pytest.raises(InputError, match="no IDX file"):
        named.read_idx(file)
    file.write_bytes(gzip.compress(bytes([0, 0, 8, 1]) + (9).to_bytes(4, "big") + b"abc"))
    with pytest.raises(InputError, match="no IDX file"):
        named.read_idx(file)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, cache, monkeypatch):
    file = tmp_path / "a.gz"
    file.write_bytes(b"right")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(streamed, "put", full)
    with pytest.raises(RunError, match=r"a.gz could not be written \(No space.*disk full\? Or put a.gz into"):
        named.fetch("x", named.Remote(file.as_uri(), f"md5:{hashlib.md5(b'right').hexdigest()}"))
    assert list((cache / "x").iterdir()) == []


def test_shared_sets_by_name_and_by_path(shared_data):
    by_name = data.open("rsscn7_64")
    assert {name: len(s) for name, s in by_name.splits.items()} == {"train": 2240, "test": 560}
    assert by_name.spec["shape"] == [3, 64, 64]
    assert by_name.label_names[3] == "RiverLake"
    by_path = data.open(f"{shared_data}/rsscn7_64", label="scale", split="test")
    assert torch.equal(everything(by_path.split("test")).x, everything(by_name.split("test")).x)
    assert len(by_path.label_names) == len(
        by_path.split("test").label.unique()
    )  # numbers with gaps get names
    fashion = data.open(f"{shared_data}/fashion_mnist/test.parquet")
    assert fashion.spec["shape"] == [1, 28, 28]
    assert len(fashion.train) == 5000


def test_shared_text_is_no_image(shared_data):
    assert data.open("sst2").modality == "text"
    with pytest.raises(InputError, match="no column of images"):
        data.open("sst2", modality="image")
