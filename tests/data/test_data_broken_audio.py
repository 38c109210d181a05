"""Recordings as they come: what each broken or unusual one becomes, beside three good ones."""

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from broken import Case, behaves, everything, given

RATE = 8000
TONE = 0.5 * np.sin(np.arange(1600) / 5)


def sound(x: np.ndarray = TONE, form: str = "WAV", kind: str | None = None, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, x, rate, kind, format=form)
    return buffer.getvalue()


WAV, FLAC, OGG = sound(), sound(form="FLAC"), sound(np.random.default_rng(0).normal(0, 0.1, 60_000), "OGG")


def field(at: int, form: str, value: float) -> bytes:
    """The WAV with another number in its head."""
    return WAV[:at] + struct.pack(form, value) + WAV[at + struct.calcsize(form) :]


def beside(content: bytes, name: str = "x.wav") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for i in range(3):
            (folder / f"good{i}.wav").write_bytes(WAV)
        (folder / name).write_bytes(content)

    return make


def broken_link(folder: Path) -> None:
    beside(WAV)(folder)
    (folder / "x.wav").unlink()
    os.symlink(folder / "nowhere.wav", folder / "x.wav")


def spiked(value: float) -> bytes:
    x = TONE.copy()
    x[700] = value
    return sound(x, kind="FLOAT")


def length_of_x(steps: int) -> Callable[..., bool]:
    """The fourth recording, by name, has about so many steps."""
    return lambda found: abs(int(everything(found).length[3]) - steps) <= 1


def same_as_good(found) -> bool:
    first, last = (everything(found).unpack()[i].float() for i in (0, 3))
    return len(first) == len(last) and float((first - last).abs().max()) <= 300  # of 32,767


def left(what: str, content: bytes, says: str = "cannot be decoded", name: str = "x.wav") -> Case:
    return Case(what, beside(content, name), 3, 1, says)


def read(
    what: str, content: bytes, becomes: str = "", holds: Callable | None = None, name: str = "x.wav"
) -> Case:
    return Case(what, beside(content, name), 4, becomes=becomes, holds=holds)


STEREO = np.stack([TONE, -0.5 * TONE], 1)
TABLE = [
    left("nothing", b""),
    left("zeros", bytes(4096)),
    left("a head and no sound", WAV[:44], "holds no samples"),
    left("a cut head", WAV[:30]),
    read("cut in the middle", WAV[: len(WAV) // 2], "as far as it goes", length_of_x(789)),
    read("a head that claims 4 GB", field(40, "<I", 2**32 - 2), "what is there", same_as_good),
    left("no channels", field(22, "<H", 0)),
    left("60,000 channels", field(22, "<H", 60_000)),
    left("a rate of 0", field(24, "<I", 0)),
    left("a million samples a second", field(24, "<I", 1_000_000), "which cannot be right"),
    read("one sample a second", field(24, "<I", 1), "its first 60 s", length_of_x(60 * RATE)),
    left("FLAC cut in the middle", FLAC[: len(FLAC) // 2], name="x.flac"),
    left("FLAC with flipped bits", FLAC[:900] + bytes(200) + FLAC[1100:], name="x.flac"),
    read("Ogg cut in the middle", OGG[: len(OGG) // 2], "as far as it goes", name="x.ogg"),
    left("text", b"hello", name="x.wav"),
    left("an image that is called a sound", b"\x89PNG\r\n\x1a\n" + bytes(64), name="x.mp3"),
    left("a table beside them", b"a,b\n1,2\n", "is no audio file", name="x.csv"),
    Case("a link to nowhere", broken_link, 3, 1, "cannot be decoded"),
    read("FLAC that is called WAV", FLAC, holds=same_as_good),
    read("what follows the end", WAV + b"PK\x03\x04 and more", holds=same_as_good),
    read("two channels", sound(np.stack([TONE, TONE], 1)), "averaged", same_as_good),
    read("eight channels", sound(np.stack([TONE] * 8, 1)), "averaged", same_as_good),
    left("two channels that cancel", sound(np.stack([TONE, -TONE], 1), kind="FLOAT"), "is silence throughout"),
    Case("two rates", beside(sound(np.repeat(TONE, 2), rate=2 * RATE)), 4, says="resampled to 8,000",
         becomes="at the commoner one", holds=length_of_x(1600)),
    read("8 bits", sound(kind="PCM_U8"), holds=same_as_good),
    read("24 bits", sound(kind="PCM_24"), holds=same_as_good),
    read("u-law", sound(kind="ULAW"), holds=length_of_x(1600)),
    read("fractions beyond full scale", sound(8 * TONE, kind="FLOAT"), "scaled down to it", length_of_x(1600)),
    left("NaN", spiked(np.nan), "holds NaN or infinity"),
    left("infinity", spiked(np.inf), "holds NaN or infinity"),
    read("1e30 among small numbers", spiked(1e30), "scaled down to it, so that the rest is silent"),
    left("silence", sound(np.zeros(800)), "is silence throughout"),
    left("a recording of 0 samples", sound(np.zeros(0)), "holds no samples"),
    read("a recording of 1 sample", sound(np.ones(1)), holds=length_of_x(1)),
    Case("61 seconds", beside(sound(np.tile(TONE, 305))), 4, says="longer than 60 s, cut there",
         holds=length_of_x(60 * RATE)),
    read("a name in another script", WAV, holds=same_as_good, name="Ωμέγα 音 🙂.wav"),
    Case("waveforms and None in a list", given([TONE, None, TONE.astype(np.float32)]), 2, 1, "not a recording"),
    Case("three axes in a list", given([TONE, np.zeros((2, 3, 4))]), 1, 1, "which is no waveform"),
    Case("an array of words", given(np.array([["a", "b"]])), says="could not be read as audio"),
    Case("a rate of None", given([{"array": TONE, "sampling_rate": None}, {"array": TONE, "sampling_rate": 0}]), 2,
         becomes="at 16,000"),
    Case("a rate below 0", given([{"array": TONE, "sampling_rate": RATE}, {"array": TONE, "sampling_rate": -5}]), 1, 1,
         "which cannot be right"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_recording_is_read_left_out_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "audio")
