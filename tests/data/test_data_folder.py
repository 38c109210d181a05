"""Folders of image files, good and bad."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

import anyview.data as data
from anyview.data.readers import image as image_reader
from anyview.errors import InputError, RunError


def everything(source):
    return source.fetch(torch.arange(len(source)))


def test_flat_folder_of_one_size_keeps_it(tmp_path, photo):
    for i in range(3):
        photo(tmp_path / "photos" / f"{i}.png", (20, 12))
    found = data.open(tmp_path / "photos")
    assert found.name == "photos"
    assert found.modality == "image"
    assert found.spec["shape"] == [3, 12, 20]
    assert found.train.label is None
    assert found.describe()[0] == "3 train"
    assert "no labels" in found.describe()
    x = everything(found.train).x
    assert x.dtype == torch.uint8
    expected = np.asarray(Image.open(tmp_path / "photos" / "1.png")).transpose(2, 0, 1)
    assert np.array_equal(x[1].numpy(), expected)


def test_subfolders_are_classes_in_sorted_order_and_hidden_files_do_not_count(tmp_path, photo):
    for name in ("zebra/a.jpg", "ant/b.jpg", "ant/deep/er/c.jpg", ".cache/d.jpg", "ant/.e.jpg"):
        photo(tmp_path / name)
    found = data.open(str(tmp_path))
    assert found.label_names == ["ant", "zebra"]
    assert found.train.label.tolist() == [0, 0, 1]
    assert not found.skipped


def test_split_folders_share_classes(tmp_path, photo):
    for name in ("train/b/1.png", "train/a/2.png", "val/b/3.png", "test/b/4.png", "test/b/5.png"):
        photo(tmp_path / name)
    found = data.open(tmp_path)
    assert list(found.splits) == ["train", "validation", "test"]
    assert found.label_names == ["a", "b"]
    assert found.split("test").label.tolist() == [1, 1]
    assert found.train.spec is found.split("test").spec
    with pytest.raises(InputError, match=r'no split "tset"; did you mean "test".*train, validation, test'):
        found.split("tset")


def test_a_class_called_test_is_a_class_beside_others(tmp_path, photo):
    photo(tmp_path / "test" / "1.png")
    photo(tmp_path / "drive" / "2.png")
    found = data.open(tmp_path)
    assert list(found.splits) == ["train"]
    assert found.label_names == ["drive", "test"]


def test_mixed_sizes_and_modes_come_to_one_canvas(tmp_path, photo):
    photo(tmp_path / "a.jpg", (300, 200))
    photo(tmp_path / "b.png", (50, 130), "P")
    photo(tmp_path / "c.png", (64, 64), "RGBA")
    photo(tmp_path / "d.jpg", (90, 60), "CMYK")
    photo(tmp_path / "e.gif", (33, 77), "L")
    photo(tmp_path / "f.tiff", (100, 100), "1")
    Image.fromarray(np.full((70, 70), 257 * 100, np.uint16)).save(tmp_path / "g.png")
    found = data.open(tmp_path)
    assert found.spec["shape"] == [3, 64, 64]  # median of the shorter sides
    assert any("33 to 200 pixels (median 64)" in fact for fact in found.describe())
    assert (everything(found.train).x[6] == 100).all()
    assert data.open(tmp_path, size=16).spec["shape"] == [3, 16, 16]


def test_grays_stay_one_channel(tmp_path, photo):
    photo(tmp_path / "a.png", (16, 16), "L")
    photo(tmp_path / "b.png", (16, 16), "1")
    assert data.open(tmp_path).spec["shape"] == [1, 16, 16]


def test_transparency_becomes_white(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (everything(data.open(tmp_path).train).x == 255).all()


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255
    upright = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    found = data.open(tmp_path)
    assert found.spec["shape"] == [3, 16, 32]
    x = everything(found.train).x[0].float()
    assert x[:, :, :14].mean() > 240
    assert x[:, :, 18:].mean() < 15


def test_resizing_keeps_aspect_and_cuts_the_middle(tmp_path):
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    x = everything(data.open(tmp_path, size=50).train).x
    assert x.shape == (1, 3, 50, 50)
    assert (x == 200).float().mean() > 0.9


def test_broken_files_are_listed_and_left_out(tmp_path, photo):
    good = photo(tmp_path / "cat" / "good.jpg", (64, 64))
    photo(tmp_path / "dog" / "fine.png", (64, 64))
    (tmp_path / "cat" / "cut.jpg").write_bytes(good.read_bytes()[:600])
    (tmp_path / "cat" / "text.jpg").write_text("this is no image")
    (tmp_path / "cat" / "nothing.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("notes")
    found = data.open(tmp_path)
    assert len(found.train) == 2
    assert found.train.label.tolist() == [0, 1]
    assert {os.path.basename(s.path) for s in found.skipped} == {
        "cut.jpg",
        "text.jpg",
        "nothing.png",
        "notes.txt",
    }
    assert all(s.reason for s in found.skipped)
    assert any("4 left out" in fact for fact in found.describe())
    found.write_skipped(tmp_path / "skipped.csv")
    lines = (tmp_path / "skipped.csv").read_text().splitlines()
    assert lines[0] == "path,reason"
    assert len(lines) == 5


def test_too_many_pixels_are_skipped(tmp_path, photo, monkeypatch):
    photo(tmp_path / "a.png", (20, 20))
    photo(tmp_path / "b.png", (200, 200))
    monkeypatch.setattr("anyview.data.images.pixels.MAX_PIXELS", 1000)
    found = data.open(tmp_path)
    assert len(found.train) == 1
    assert "200 x 200 pixels" in found.skipped[0].reason


def test_one_image(tmp_path, photo):
    path = photo(tmp_path / "a.png", (20, 20))
    for place in (tmp_path, path):
        found = data.open(place)
        assert len(found.train) == 1
        assert min(found.spec["std"]) > 0
        with pytest.raises(InputError, match="too few"):
            found.with_validation()


def test_folders_without_images_say_what_they_hold(tmp_path):
    with pytest.raises(InputError, match="is empty"):
        data.open(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "notes.docx").write_text("x")
    (folder / "other.bin").write_text("x")
    with pytest.raises(InputError) as error:
        data.open(folder)
    what = "photos/ holds 2 files and none could be read as any known kind of data (first: notes.docx)."
    assert str(error.value) == f"{what} Give a folder with images, texts, sounds, volumes or clips."
    (folder / "broken.jpg").write_text("x")
    with pytest.raises(InputError, match="photos/ holds 3 files and none could be read as image"):
        data.open(folder)
    with pytest.raises(InputError, match="none could be read as image"):
        data.open(folder, modality="image")


def test_missing_path_and_wrong_names_suggest(tmp_path, photo):
    photo(tmp_path / "photos" / "a.png")
    with pytest.raises(InputError, match=r'there is no ".*photo"; did you mean ".*photos"'):
        data.open(tmp_path / "photo")
    with pytest.raises(InputError, match='did you mean "digits"'):
        data.open("digit")
    with pytest.raises(InputError, match='no modality "imag"; did you mean "image"'):
        data.open(tmp_path / "photos", modality="imag")
    with pytest.raises(InputError, match="no columns"):
        data.open(tmp_path / "photos", label="class")
    with pytest.raises(InputError, match="size is 0"):
        data.open(tmp_path / "photos", size=0)


def test_links_are_followed_but_not_in_circles(tmp_path, photo):
    photo(tmp_path / "real" / "a.png")
    photos = tmp_path / "photos"
    photo(photos / "b.png")
    (photos / "more").symlink_to(tmp_path / "real")
    (photos / "round").symlink_to(photos)
    assert len(data.open(photos).train) == 2


@pytest.fixture
def streaming(monkeypatch):
    monkeypatch.setattr(image_reader, "MAX_HELD_BYTES", 0)


@pytest.mark.usefixtures("streaming")
def test_large_sets_stream_and_give_the_same_pixels(tmp_path, photo, monkeypatch):
    for i in range(6):
        photo(tmp_path / "ab"[i % 2] / f"{i}.png", (24, 24))
    (tmp_path / "a" / "text.png").write_text("no image")
    streamed = data.open(tmp_path)
    assert not streamed.train.in_memory
    assert len(streamed.skipped) == 1
    monkeypatch.setattr(image_reader, "MAX_HELD_BYTES", 2**30)
    held = data.open(tmp_path)
    assert held.train.in_memory
    a, b = everything(streamed.train), everything(held.train)
    assert torch.equal(a.x, b.x)
    assert torch.equal(a.label, b.label)
    assert streamed.spec == held.spec


@pytest.mark.usefixtures("streaming")
def test_an_image_that_breaks_on_use_is_replaced_and_listed(tmp_path, photo):
    paths = [photo(tmp_path / "ab"[i % 2] / f"{i}.png", (64, 64)) for i in range(4)]
    found = data.open(tmp_path)  # order: a/0 a/2 b/1 b/3
    paths[2].write_bytes(paths[2].read_bytes()[:3000])
    for _ in range(2):
        batch = found.train.fetch(torch.tensor([0, 1]))
        assert batch.index.tolist() == [0, 2]
        assert batch.label.tolist() == [0, 1]
    assert [s.path for s in found.skipped] == [str(paths[2])]
    for path in paths:
        path.unlink()
    with pytest.raises(RunError, match="4 samples in a row"):
        found.train.fetch(torch.tensor([0]))
