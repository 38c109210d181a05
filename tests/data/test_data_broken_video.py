"""Clips as they come: what each broken or unusual video, folder of frames or array becomes."""

import functools
import io
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from broken import Case, behaves, everything, given
from PIL import Image

CLIP = np.random.default_rng(0).integers(0, 256, (18, 16, 24, 3), dtype=np.uint8)
BATCH = CLIP[None, :4].repeat(3, 0)


@functools.cache
def video(
    frames: int = 18, height: int = 16, width: int = 24, form: str = "avi", codec: str = "mpeg4"
) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=12)
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb8" if codec == "gif" else "yuv420p"
        for i in range(frames):
            frame = np.full((height, width, 3), 10 * i % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@functools.cache
def sound() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def beside(content: Callable[[], bytes], name: str = "x.avi") -> Callable[[Path], None]:
    """A file beside two good videos."""

    def make(folder: Path) -> None:
        for i in range(2):
            (folder / f"good{i}.avi").write_bytes(video())
        (folder / name).write_bytes(content())

    return make


def frames(*changed: tuple[str, bytes], clip: np.ndarray = CLIP[:6]) -> Callable[[Path], None]:
    """Two folders of frames; in the second some files are changed or added."""

    def make(folder: Path) -> None:
        for name in ("a", "b"):
            (folder / name).mkdir()
            for i, frame in enumerate(clip):
                Image.fromarray(frame).save(folder / name / f"{i}.png")
        for name, content in changed:
            (folder / "b" / name).write_bytes(content)

    return make


def png(x: np.ndarray, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(x).save(buffer, form)
    return buffer.getvalue()


def left(
    what: str,
    content: Callable[[], bytes],
    says: str = "is no video that can be read",
    name: str = "x.avi",
    becomes: str = "",
) -> Case:
    return Case(what, beside(content, name), 2, 1, says, becomes)


def read(
    what: str,
    content: Callable[[], bytes],
    becomes: str = "",
    name: str = "x.avi",
    holds: Callable | None = None,
) -> Case:
    return Case(what, beside(content, name), 3, becomes=becomes, holds=holds)


def array(what: str, x: object, says: str) -> Case:
    return Case(what, given(x), says=says)


def brightening(found) -> bool:
    """Every clip grows brighter from frame to frame."""
    level = everything(found).float().mean((1, 3, 4))
    return bool((level.diff(dim=1) >= -1).all() and (level[:, -1] > level[:, 0] + 50).all())


def shaped(*shape: int) -> Callable[..., bool]:
    return lambda found: tuple(everything(found).shape) == shape


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


FLOATS = BATCH.astype(np.float32) / 255
TABLE = [
    left("nothing", lambda: b""),
    left("zeros", lambda: bytes(5000)),
    left("text", lambda: b"hello"),
    left("only the signature", lambda: video()[:12]),
    left("a cut head", lambda: video()[:200]),
    left("an .mp4 cut in the middle", lambda: half(video(form="mp4")), name="x.mp4", says="", becomes="its index stood at the end"),
    left("noise behind a head", lambda: video()[:400] + bytes(range(256)) * 20, "has 0 frames"),
    left("no frame", lambda: video(0), says=""),
    left("one frame", lambda: video(1), "has 1 frame"),
    left("sound and no picture", sound, "has no video stream"),
    left("an unknown codec", lambda: video().replace(b"FMP4", b"QQQQ"), "of an unknown codec"),
    left("an image that is called a video", lambda: png(CLIP[0]), "has 1 frame"),
    left("a table beside them", lambda: b"a,b\n1,2\n", "is no video and no frame", "x.csv"),
    left("an image beside them", lambda: png(CLIP[0]), "lies in no folder of frames", "x.png"),
    read("an .avi without its end", lambda: video(60)[:-1500], "as far as it goes"),
    read("flipped bits in the middle", lambda: video()[:6200] + bytes(100) + video()[6300:], "what can be decoded"),
    read("what follows the end", lambda: video() + b"PK\x03\x04 and more", holds=brightening),
    read(".mp4 that is called .avi", lambda: video(form="mp4"), holds=brightening),
    read("two frames", lambda: video(2), "each eight times", holds=shaped(3, 3, 16, 16, 24)),
    read("600 frames", lambda: video(600), "16 of them, evenly spread"),
    read("an animated GIF", lambda: video(form="gif", codec="gif"), name="x.gif", holds=brightening),
    read("Motion JPEG", lambda: video(codec="mjpeg"), holds=brightening),
    read("another size", lambda: video(18, 32, 16), "the middle of it, on the common canvas"),
    read("one pixel high", lambda: video(18, 2, 400), "scaled"),
    read("a name in another script", lambda: video(), name="Ωμέγα 図 🙂.avi", holds=brightening),
    Case("frames of other sizes", frames(("9.png", png(CLIP[0].repeat(3, 0)))), 2, becomes="on one canvas"),
    Case("frames of gray, palette and transparency", frames(
        ("0.png", png(CLIP[0, :, :, 0])), ("1.png", png(np.dstack([CLIP[0], CLIP[0, :, :, :1]])))), 2, becomes="as colour"),
    Case("a frame that is broken", frames(("3.png", b"\x89PNG\r\n\x1a\n")), 1, 1, "is no image that can be read"),
    Case("a first frame that is broken", frames(("0.png", b"hello")), 1, 1, "is no image that can be read"),
    Case("a folder of one frame", frames(clip=CLIP[:1]), says="none could be read as video"),
    Case("2 before 10 in names", frames(clip=CLIP[:12]), 2, becomes="in order of their numbers",
         holds=lambda f: torch.equal(everything(f)[0, :, -1], torch.as_tensor(CLIP[11]).permute(2, 0, 1))),
    Case("an array of 16-bit numbers", given(BATCH.astype(np.uint16)), 3, holds=shaped(3, 3, 4, 16, 24)),
    Case("an array of bits", given(BATCH > 99), 3, holds=lambda f: everything(f).unique().tolist() == [0, 255]),
    Case("an array of fractions", given(FLOATS), 3, holds=lambda f: torch.equal(everything(f)[0, :, 0],
         torch.as_tensor(CLIP[0]).permute(2, 0, 1))),
    array("an array with NaN", np.where(FLOATS > 0.5, np.nan, FLOATS), "without NaN"),
    array("an array with infinity", np.where(FLOATS > 0.5, np.inf, FLOATS), "give 0..1 or 0..255"),
    array("a normalised array", FLOATS - 0.5, "give 0..1 or 0..255"),
    array("12-bit numbers", BATCH.astype(np.int32) * 16, "give 0..1 or 0..255"),
    array("an array of words", BATCH[:, :, :4, :4].astype(str), "holds no clips"),
    array("complex numbers", FLOATS + 1j, "holds no clips"),
    array("an array of two axes", FLOATS[0, 0, :, :, 0], "holds no clips"),
    array("no clips", BATCH[:0], "video"),
    array("clips of no frames", BATCH[:, :0], "could not be read as video"),
    array("clips of one frame", BATCH[:, :1], "could not be read as video"),
    array("frames of no pixels", BATCH[:, :, :0], "holds no clips"),
    Case("None and short clips in a list", given([CLIP[:4], None, CLIP[:1], CLIP[:9]]), 2, 2, ""),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_clip_is_read_left_out_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "video")
