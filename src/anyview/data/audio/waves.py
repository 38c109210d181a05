"""Audio files and arrays -> mono int16 waveforms at one rate: every format libsndfile reads, made alike."""

import io
import math
import os
import wave as wave_file
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from jaxtyping import Int16
from torch import Tensor

from anyview.data.source import Items, Skipped, UnreadableError
from anyview.errors import InputError

EXTENSIONS = {
    ".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf",
    ".w64", ".rf64",
}  # fmt: skip
#: a recording is cut after so many seconds; a network that saw an hour whole would need days for it
MAX_SECONDS = 60
#: samples a second beyond which a head is not believed; studios use 192,000 at most
FASTEST = 768_000
#: amplitude 1 in 16 bits
FULL = 32767


@dataclass(frozen=True)
class Header:
    """What can be known of a recording without decoding it: samples a second, and how many there are."""

    rate: int
    samples: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def soundfile() -> ModuleType:
    """The library that decodes; InputError with the command that installs it when it is not there."""
    try:
        import soundfile
        import soxr  # noqa: F401  (needed as soon as two rates meet; said before hours of decoding)
    except (ImportError, OSError) as error:  # OSError: soundfile is there and libsndfile is not
        raise InputError(
            'reading audio needs soundfile and soxr; install them with: pip install "anyview[audio]"'
        ) from error
    return soundfile


@dataclass(frozen=True)
class Decode:
    """Decodes a path, encoded bytes, an array, or ``{"array", "sampling_rate"}``.

    Channels are averaged, other rates resampled (soxr), and what lies after ``MAX_SECONDS`` is left away. An
    amplitude beyond full scale, as files of floats may have, is scaled down to it.

    Attributes:
        rate: samples a second of what comes out.
        assumed: rate of arrays that come without one.
    """

    rate: int
    assumed: int

    def __call__(self, item: Any) -> Int16[Tensor, "samples"]:
        """Raises UnreadableError with the reason."""
        wave, rate = _samples(item, self.assumed)
        if not len(wave):
            raise UnreadableError("holds no samples")
        if not np.isfinite(wave).all():
            raise UnreadableError("holds NaN or infinity")
        if not wave.any():
            raise UnreadableError("is silence throughout")
        if rate != self.rate:
            import soxr

            wave = soxr.resample(wave, rate, self.rate)
            wave = wave if len(wave) else np.zeros(1, np.float32)
        wave = wave / max(1.0, float(np.abs(wave).max()))
        return torch.from_numpy((wave * FULL).round().astype(np.int16))


def _samples(item: Any, assumed: int) -> tuple[np.ndarray, int]:
    """``(float32 mono, rate)``, the first ``MAX_SECONDS`` of it."""
    array, rate = _array(item, assumed)
    if array is not None:
        return _mono(array[: MAX_SECONDS * rate]), rate
    try:
        with soundfile().SoundFile(_place(item)) as file:
            _believable(file.samplerate)
            wave = file.read(MAX_SECONDS * file.samplerate, dtype="float32", always_2d=True)
            return wave.mean(1), int(file.samplerate)
    except Exception as error:  # decoders of broken files raise all kinds
        raise UnreadableError(_reason(error)) from error


def read_header(item: Any, assumed: int) -> Header:
    """Rate and length of a recording, without decoding it.

    Raises:
        UnreadableError: with the reason.
    """
    array, rate = _array(item, assumed)
    if array is not None:
        return Header(rate, len(array))
    try:
        info = soundfile().info(_place(item))
    except Exception as error:
        raise UnreadableError(_reason(error)) from error
    _believable(info.samplerate)
    if info.frames < 1:
        raise UnreadableError("holds no samples")
    return Header(int(info.samplerate), int(info.frames))


def _believable(rate: int) -> None:
    if not 1 <= rate <= FASTEST:
        raise UnreadableError(f"claims {rate:,} samples a second, which cannot be right")


def _place(item: Any) -> Any:
    if isinstance(item, bytes):
        return io.BytesIO(item)
    if isinstance(item, str | os.PathLike):
        return os.fspath(item)
    raise UnreadableError(f"is a {type(item).__name__}, not a recording")


def _array(item: Any, assumed: int) -> tuple[np.ndarray | None, int]:
    """An array of ``(samples,)`` or ``(samples, channels)`` and its rate; None when ``item`` holds none."""
    rate = assumed
    if isinstance(item, dict) and item.get("array") is not None:
        rate = item.get("sampling_rate") or assumed
        if not isinstance(rate, int | float | np.number) or not math.isfinite(rate):
            raise UnreadableError(f"has a rate of {str(rate)[:40]}, which is no number")
        item, rate = item["array"], int(rate)
        _believable(rate)
    if isinstance(item, Tensor):
        item = item.numpy(force=True)
    if isinstance(item, list) and item and isinstance(item[0], int | float):
        item = np.asarray(item)
    if not isinstance(item, np.ndarray):
        return None, rate
    if item.ndim == 2 and 1 <= item.shape[0] <= 8 < item.shape[1]:
        item = item.T  # channels first, as torch has them
    if item.ndim not in (1, 2) or item.dtype.kind not in "iuf":
        raise UnreadableError(f"has shape {item.shape} and type {item.dtype}, which is no waveform")
    return item, rate


def _mono(array: np.ndarray) -> np.ndarray:
    """Whole numbers by their full range, channels averaged."""
    wave = array.astype(np.float32)
    if array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        middle = (info.max + 1) / 2 if array.dtype.kind == "u" else 0
        wave = (wave - middle) / (info.max + 1 - middle)
    return wave if wave.ndim == 1 else wave.mean(1)


def decode_all(
    items: Items, decode: Decode, where: Callable[[int], str], threads: int
) -> tuple[list[Int16[Tensor, "samples"]], list[int], list[Skipped]]:
    """All recordings of a split: waveforms of the readable ones, their places, and the others with reasons."""
    done, failed = each(lambda i: decode(items[i]), len(items), threads)
    return list(done.values()), list(done), [Skipped(where(i), reason) for i, reason in failed.items()]


def wav(wave: Int16[Tensor, "samples"], rate: int) -> bytes:
    """A mono WAV file of 16 bits."""
    out = io.BytesIO()
    with wave_file.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(wave.numpy().astype("<i2").tobytes())
    return out.getvalue()


def each(work: Callable[[int], Any], count: int, threads: int) -> tuple[dict[int, Any], dict[int, str]]:
    """``work`` for 0..count-1 in threads (libsndfile decodes outside the interpreter's lock), in order: what
    it gave, and the reasons of what could not be read."""
    done: dict[int, Any] = {}
    failed: dict[int, str] = {}

    def one(i: int) -> Any:
        try:
            return work(i)
        except UnreadableError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        for i, result in enumerate(pool.map(one, range(count), chunksize=64)):
            if isinstance(result, UnreadableError):
                failed[i] = str(result)
            else:
                done[i] = result
    return done, failed


def _reason(error: Exception) -> str:
    if isinstance(error, InputError):
        raise error
    if isinstance(error, UnreadableError):
        return str(error)
    text = " ".join(str(error).split()).rpartition(": ")[2].rstrip(".")
    return f"cannot be decoded ({text[:120] or type(error).__name__})"
