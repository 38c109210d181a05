"""Clips of every origin become a fixed number of frames on one canvas, and what is broken is said."""

import io

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import anyview.data as data
from anyview.data.source import UnreadableError
from anyview.data.video.frames import FRAMES, clips_of, spread
from anyview.errors import InputError

RNG = np.random.default_rng(0)


def everything(source):
    return source.fetch(torch.arange(len(source)))


def moving(frames=24, side=32, right=True):
    """A bright square that crosses the picture, ``(frames, side, side, 3)``."""
    clip = np.full((frames, side, side, 3), 20, np.uint8)
    for i in range(frames):
        at = round((i if right else frames - 1 - i) * (side - 8) / (frames - 1))
        clip[i, 12:20, at : at + 8] = (230, 120, 40)
    return clip


def centres(clip):
    """Where the square is in each frame, along the width."""
    red = (clip[0].float() - 60).clamp_min(0)
    return (red * torch.arange(clip.shape[-1])).sum((1, 2)) / red.sum((1, 2))


def write_video(path, clip, codec="mpeg4"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=12)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return path


def write_frames(folder, clip, name="{}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(clip):
        Image.fromarray(frame).save(folder / name.format(i))


def test_frames_are_spread_evenly() -> None:
    assert spread(16, 16) == list(range(16))
    assert spread(4, 8) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert spread(100, 4) == [12, 37, 62, 87]
    for count in (0, 1):
        with pytest.raises(UnreadableError, match="a clip needs two or more"):
            spread(count, 4)


def test_a_folder_of_videos(tmp_path) -> None:
    for i in range(3):
        write_video(tmp_path / f"clips/right/{i}.mp4", moving(20 + 9 * i))
        write_video(tmp_path / f"clips/left/{i}.avi", moving(20 + 9 * i, right=False))
    (tmp_path / "clips/left/broken.mp4").write_bytes(b"\0" * 5000)
    (tmp_path / "clips/left/notes.txt").write_text("x")
    write_video(tmp_path / "clips/right/still.mp4", moving(24)[:1])
    found = data.open(tmp_path / "clips")
    assert found.modality == "video"
    assert found.spec["shape"] == [3, FRAMES, 32, 32]
    assert found.label_names == ["left", "right"]
    got = everything(found.train)
    assert got.label.tolist() == [0, 0, 0, 1, 1, 1]
    for clip, label in zip(got.x, got.label):
        steps = centres(clip).diff()
        assert bool((steps > 0).all() if label == 1 else (steps < 0).all())
    reasons = {entry.path.rsplit("/", 1)[1]: entry.reason for entry in found.skipped}
    assert set(reasons) == {"broken.mp4", "notes.txt", "still.mp4"}
    assert "is no video that can be read" in reasons["broken.mp4"]
    assert reasons["still.mp4"] == "has 1 frame; a clip needs two or more"


def test_a_truncated_video_gives_what_it_has(tmp_path) -> None:
    path = write_video(tmp_path / "d/a.mkv", moving(60))
    write_video(tmp_path / "d/b.mkv", moving(60))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found = data.open(tmp_path / "d")
    clips = everything(found.train).x
    assert len(clips) == 2
    assert centres(clips[0])[-1] < centres(clips[1])[-1] - 4  # it ends earlier on its way


def test_folders_of_frames_are_clips_when_that_is_said(tmp_path) -> None:
    clip = moving(12)
    for name in ("walk/one", "walk/two", "run/three"):
        write_frames(tmp_path / "f" / name, clip)
    write_frames(tmp_path / "f/run/single", clip[:1])
    assert data.open(tmp_path / "f").modality == "image"
    found = data.open(tmp_path / "f", modality="video")
    got = everything(found.train)
    assert got.x.shape == (3, 3, FRAMES, 32, 32)
    assert [found.label_names[i] for i in got.label] == ["run", "walk", "walk"]
    # 0, 1, ..., 10, 11 by number, not 0, 1, 10, 11, 2
    assert torch.equal(got.x[0], torch.from_numpy(clip[spread(12, FRAMES)]).permute(3, 0, 1, 2))
    assert [entry.reason for entry in found.skipped] == ["has 1 frame; a clip needs two or more"]


@pytest.mark.parametrize("layout", [(0, 1, 2, 3, 4), (0, 1, 4, 2, 3), (0, 4, 1, 2, 3)])
def test_layouts_of_arrays(layout) -> None:
    clips = np.stack([moving(10, 16), moving(10, 16, right=False)])
    found = data.open((np.ascontiguousarray(clips.transpose(layout)), [0, 1]))
    assert found.modality == "video"
    assert torch.equal(everything(found.train).x, torch.from_numpy(clips).permute(0, 4, 1, 2, 3))
    assert everything(found.train).label.tolist() == [0, 1]


def test_grays_fractions_and_long_arrays() -> None:
    gray = RNG.integers(0, 256, (3, 40, 12, 12), dtype=np.uint8)
    assert data.open(gray).modality == "volume"  # its axes do not say
    found = data.open(gray, modality="video")
    assert found.spec["shape"] == [1, FRAMES, 12, 12]
    assert np.array_equal(everything(found.train).x[:, 0].numpy(), gray[:, spread(40, FRAMES)])
    fractions = data.open((gray[:, :8] / 255).astype(np.float32), modality="video")
    assert np.array_equal(everything(fractions.train).x[:, 0].numpy(), gray[:, :8])
    broken = (gray / 255).astype(np.float32)
    broken[1, 2, 3, 4] = np.nan
    with pytest.raises(InputError, match="without NaN"):
        data.open(broken, modality="video")


def test_shapes_that_hold_no_clips() -> None:
    with pytest.raises(InputError, match="holds no clips"):
        clips_of(np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(InputError, match="could not be read as video"):
        data.open(np.zeros((4, 1, 8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="size is 0"):
        data.open(np.zeros((4, 3, 8, 8, 3), np.uint8), size=0)


def test_size_and_like(tmp_path) -> None:
    for i in range(2):
        write_video(tmp_path / f"d/{i}.avi", moving(20, 48))
    found = data.open(tmp_path / "d", size=24)
    assert found.spec["shape"] == [3, FRAMES, 24, 24]
    other = data.open(np.stack([moving(6, 16)] * 2), like=found.spec)
    assert other.spec == found.spec
    assert everything(other.train).x.shape == (2, 3, FRAMES, 24, 24)


def test_gifs_are_images_unless_videos_are_asked_for(tmp_path) -> None:
    write_video(tmp_path / "g/a.gif", moving(10), codec="gif")
    assert data.open(tmp_path / "g").modality == "image"
    assert everything(data.open(tmp_path / "g", modality="video").train).x.shape == (1, 3, FRAMES, 32, 32)


def test_tables_with_a_frame_a_row(tmp_path) -> None:
    def png(value):
        out = io.BytesIO()
        Image.fromarray(np.full((8, 8), value, np.uint8)).save(out, "png")
        return out.getvalue()

    rows = [("a", i) for i in range(2 * FRAMES + 3)] + [("b", i) for i in range(FRAMES + FRAMES // 2)]
    order = RNG.permutation(len(rows))
    columns = {
        "image": [png(rows[i][1] + (100 if rows[i][0] == "b" else 0)) for i in order],
        "sequence": [rows[i][0] for i in order],
        "frame": [rows[i][1] for i in order],
    }
    pq.write_table(pa.table(columns), tmp_path / "frames.parquet")
    assert data.open(tmp_path / "frames.parquet").modality == "image"
    found = data.open(tmp_path / "frames.parquet", modality="video", label="sequence")
    got = everything(found.train)
    firsts = sorted((int(label), int(clip[0, 0, 0, 0])) for clip, label in zip(got.x, got.label))
    # three frames left over make no clip, half of one does
    assert firsts == [(0, 0), (0, FRAMES), (1, 100), (1, 100 + FRAMES)]
    assert bool((got.x[:, 0, :, 0, 0].int().diff(dim=1) >= 0).all())
    pq.write_table(pa.table({"image": columns["image"]}), tmp_path / "images.parquet")
    with pytest.raises(InputError, match='no column "sequence"'):
        data.open(tmp_path / "images.parquet", modality="video")


def test_nothing_readable_is_one_line(tmp_path) -> None:
    (tmp_path / "d").mkdir()
    for i in range(2):
        (tmp_path / f"d/{i}.mp4").write_bytes(b"no video at all")
    with pytest.raises(InputError, match="d/ holds 2 files and none could be read as video"):
        data.open(tmp_path / "d")


def test_pyav_missing_is_said(tmp_path, monkeypatch) -> None:
    write_video(tmp_path / "d/a.avi", moving(4))
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(InputError, match=r'pip install "anyview\[video\]"'):
        data.open(tmp_path / "d")


def test_camvid_as_clips(shared_data) -> None:
    found = data.open("camvid", modality="video", size=16, label="sequence", split="train")
    assert found.spec["shape"] == [3, FRAMES, 16, 16]
    assert len(found.train) == 23
    assert set(everything(found.train).label.tolist()) == {0, 1, 2}
