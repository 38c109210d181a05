"""WebDataset shards: samples by their place in tar files."""

import io
import tarfile
import wave

import numpy as np
import pytest
import torch
from PIL import Image

import anyview.data as data
from anyview.data.readers import image as image_reader
from anyview.errors import InputError


def png(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((12, 12, 3), value, dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def wav(pitch: float) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((8000 * np.sin(pitch * np.arange(1600))).astype("<i2").tobytes())
    return out.getvalue()


def shard(path, members: dict[str, bytes], mode: str = "w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def values(source):
    """The gray of every image."""
    return source.fetch(torch.arange(len(source))).x[:, 0, 0, 0].tolist()


def test_shards_are_one_list_of_samples_with_labels(tmp_path):
    for number in (0, 1):
        members = {}
        for i in range(3):
            members |= {
                f"{number}{i}.png": png(40 * number + i),
                f"{number}{i}.cls": b"%d\n" % i,
                f"{number}{i}.json": b"{}",
            }
        shard(tmp_path / "shards" / f"photos-{number:06d}.tar", members)
    found = data.open(tmp_path / "shards")
    assert (found.name, found.modality) == ("shards", "image")
    assert values(found.train) == [0, 1, 2, 40, 41, 42]
    assert found.train.label.tolist() == [0, 1, 2, 0, 1, 2]
    one = data.open(tmp_path / "shards" / "photos-000001.tar")
    assert values(one.train) == [40, 41, 42]


@pytest.mark.parametrize("layout", ["{}-000.tar", "imagenet-{}-000.tar", "{}/000.tar"])
def test_splits_are_in_names_or_folders(tmp_path, layout):
    for value, split in enumerate(("train", "val")):
        shard(tmp_path / layout.format(split), {"a.png": png(value), "b.png": png(value)})
    found = data.open(tmp_path)
    assert {name: values(source) for name, source in found.splits.items()} == {
        "train": [0, 0],
        "validation": [1, 1],
    }


def test_samples_stream_from_their_place_in_any_order(tmp_path, monkeypatch):
    """As a run does that goes on in the middle of an epoch; nothing is unpacked."""
    monkeypatch.setattr(image_reader, "MAX_HELD_BYTES", 0)
    shard(tmp_path / "x.tar", {f"deep/er/{i}.png": png(i) for i in range(20)})
    before = sorted(tmp_path.iterdir())
    source = data.open(tmp_path / "x.tar").train
    assert not source.in_memory
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    assert source.fetch(order).x[:, 0, 0, 0].tolist() == order.tolist()
    assert sorted(tmp_path.iterdir()) == before


def test_captions_sounds_and_texts_come_out_of_shards(tmp_path):
    captions = ["a red house", "two small dogs", "the sea at night", "a plate of rice"]
    pairs = {
        f"{i}.{end}": png(i) if end == "png" else captions[i].encode()
        for i in range(4)
        for end in ("png", "txt")
    }
    assert data.open(shard(tmp_path / "pairs.tar", pairs)).modality == "image_text"
    words = {f"{i}.txt": captions[i].encode() for i in range(4)}
    assert data.open(shard(tmp_path / "words.tar", words)).modality == "text"
    sounds = {
        f"{i}.{end}": wav(0.1 * (i + 1)) if end == "wav" else b"low"
        for i in range(3)
        for end in ("wav", "cls")
    }
    found = data.open(shard(tmp_path / "sounds.tar", sounds))
    assert (found.modality, len(found.train), found.label_names) == ("audio", 3, ["low"])


def test_samples_that_lack_something_are_listed(tmp_path):
    members = {"0.png": png(0), "1.cls": b"7", "2.png": b"no image", "3.png": b"", "4.png": png(4)}
    found = data.open(shard(tmp_path / "x.tar", members))
    assert values(found.train) == [0, 4]
    assert len(found.skipped) == 3


def test_what_is_no_shard_is_one_line(tmp_path):
    whole = shard(tmp_path / "a" / "x.tar", {f"{i}.png": png(i) for i in range(9)})
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match=r"x.tar cannot be read as a tar file \(.*\)"):
        data.open(tmp_path / "a")
    shard(tmp_path / "b" / "x.tar.gz", {"0.png": png(0)}, "w:gz")
    with pytest.raises(InputError, match=r"x.tar.gz is compressed.*decompress it to .tar"):
        data.open(tmp_path / "b")
    with pytest.raises(InputError, match=r"holds no images, recordings or texts"):
        data.open(shard(tmp_path / "c.tar", {"0.npy": b"123"}))
    with pytest.raises(InputError, match=r"too many for a text"):
        data.open(shard(tmp_path / "d.tar", {"0.txt": b"x" * 2_000_000}))
    (tmp_path / "e.tar").write_bytes(b"\0" * 10)
    with pytest.raises(InputError, match=r"e.tar cannot be read as a tar file"):
        data.open(tmp_path / "e.tar")


def test_a_member_never_leads_out_of_its_shard(tmp_path):
    """Names in a shard are names of samples, not of files."""
    (tmp_path / "secret.png").write_bytes(png(200))
    members = {"../secret.png": png(1), "/etc/passwd.png": png(2)}
    path = shard(tmp_path / "in" / "x.tar", members)
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "../secret.png"
        tar.addfile(link)
    assert values(data.open(tmp_path / "in").train) == [1, 2]


def test_splits_are_all_of_shards_or_none_is(tmp_path):
    shard(tmp_path / "train" / "0.tar", {"a.png": png(1)})
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "b.png").write_bytes(png(2))
    with pytest.raises(InputError, match=r"none could be read.*0\.tar"):
        data.open(tmp_path)
    shard(tmp_path / "two" / "val" / "0.tar", {"a.png": png(1)})
    shard(tmp_path / "two" / "validation" / "0.tar", {"a.png": png(1)})
    with pytest.raises(InputError, match="two folders of shards for one split"):
        data.open(tmp_path / "two")
