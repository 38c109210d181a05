"""Audio: folders of files, tables with encoded audio, lists of waveforms. Held as 16-bit numbers at one rate."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import torch

from anyview.data.audio.items import (
    audio_column,
    from_arrays,
    from_files,
    from_objects,
    from_tables,
    gives_audio,
    is_audio_file,
)
from anyview.data.audio.logmel import LEAST_RATE, LogMel, bands, waveforms
from anyview.data.audio.waves import MAX_SECONDS, Decode, Header, decode_all, each, read_header, soundfile
from anyview.data.batch import Ragged
from anyview.data.images.items import Collected, Split
from anyview.data.parts import Arrays, Files, Found, Objects, Table, is_far, threads
from anyview.data.readers.base import Reader, none_readable
from anyview.data.source import (
    Dataset,
    Items,
    MemorySource,
    Skipped,
    Source,
    Spec,
    StreamSource,
)
from anyview.data.streamed import bring, listed
from anyview.errors import InputError

#: datasets up to this many decoded bytes are decoded once and held
MAX_HELD_BYTES = 2**30
#: samples a second unless another rate is asked for: what speech and most of hearing need
MAX_RATE = 16_000
ASSUMED_RATE = 16_000  #: of arrays that come without one
PROBED = 2000  #: headers read to estimate how much there is
MEASURED = 500  #: recordings that mean and deviation of the bands are of


class AudioReader(Reader):
    modality = "audio"
    wants = "recordings"

    def claim(self, found: Found) -> float:
        part = found.first
        if isinstance(part, Files):
            return sum(is_audio_file(path) for path in part.paths) / len(part)
        if isinstance(part, Table):
            return 0.9 if audio_column(part) else 0.0
        return 0.9 if isinstance(part, Objects) and gives_audio(part) else 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """Recordings as mono int16 at one rate: ``size`` samples a second, else that of ``like``, else the
        commonest of the data and ``MAX_RATE`` at most; held when they fit in ``MAX_HELD_BYTES``."""
        soundfile()
        if size is not None and not LEAST_RATE <= size <= 192_000:
            raise InputError(f"size is {size}; give samples a second, such as 16000 ({LEAST_RATE:,} or more)")
        if size is not None and like is not None and size != like["rate"]:
            raise InputError(
                f"size is {size} and the network reads {like['rate']:,} samples a second; leave size out"
            )
        if label is not None and not isinstance(found.first, Table):
            raise InputError(f'{found.name} has no columns, so no "{label}"; leave the label out')
        if isinstance(found.first, Files):
            collected = from_files(found)
        elif isinstance(found.first, Table):
            collected = from_tables(found, label)
        elif isinstance(found.first, Objects):
            collected = from_objects(found)
        elif isinstance(found.first, Arrays):
            collected = from_arrays(found)
        else:
            raise none_readable(found, "audio", self.wants)
        return _read(found, collected, size, like)


def choose_rate(headers: Sequence[Header]) -> int:
    """The commonest rate (the higher of two as common), ``MAX_RATE`` at most.

    Raises:
        InputError: when it is too low for sound.
    """
    counted = Counter(header.rate for header in headers)
    rate = min(MAX_RATE, max(counted, key=lambda rate: (counted[rate], rate)))
    if rate < LEAST_RATE:
        raise InputError(
            f"the recordings have {rate:,} samples a second, too few for sound; read them as --modality series"
        )
    return rate


def _read(found: Found, collected: Collected, size: int | None, like: Spec | None) -> Dataset:
    assumed = int(like["rate"]) if like else size or ASSUMED_RATE
    many = threads(found.first)
    headers = _headers(collected.splits, assumed, many, PROBED)[0]
    if not any(headers.values()):
        headers, broken = _headers(collected.splits, assumed, many)
        if not any(headers.values()):
            raise none_readable(found, "audio", AudioReader.wants, [*collected.skipped, *broken])
    seen = [header for split in headers.values() for header in split.values()]
    rate = size or (int(like["rate"]) if like else choose_rate(seen))
    decode = Decode(rate, assumed)
    seconds = sum(min(header.seconds, MAX_SECONDS) for header in seen) / len(seen)
    count = sum(len(split.items) for split in collected.splits.values())
    notes = _notes(seen, rate)
    if 2 * rate * seconds * count <= MAX_HELD_BYTES:
        sources = _held(collected, decode, many)
    else:
        sources = _streamed(collected, decode, many)
        far = is_far(found.first)
        notes.append(f"{'fetched and ' if far else ''}decoded while they are used")
    sources = {name: source for name, source in sources.items() if len(source)}
    if not sources:
        raise none_readable(found, "audio", AudioReader.wants, collected.skipped)
    spec = dict(like) if like else _spec(sources, rate, seen)
    for source in sources.values():
        source.spec = spec
    return Dataset(found.name, "audio", sources, collected.skipped, notes)


def _notes(seen: Sequence[Header], rate: int) -> list[str]:
    notes = []
    rates = sorted({header.rate for header in seen})
    if rates != [rate]:
        was = f"{rates[0]:,}" if len(rates) == 1 else f"{rates[0]:,} to {rates[-1]:,}"
        notes.append(f"{was} samples a second, resampled to {rate:,}")
    long = sum(header.seconds > MAX_SECONDS for header in seen)
    if long:
        notes.append(f"{long:,} longer than {MAX_SECONDS} s, cut there")
    return notes


def _held(collected: Collected, decode: Decode, threads: int) -> dict[str, Source]:
    """Every recording decoded, broken ones left out."""
    sources: dict[str, Source] = {}
    for name, split in collected.splits.items():
        bring(split.items)
        waves, kept, broken = decode_all(split.items, decode, split.where, threads)
        collected.skipped += broken
        if waves:
            label = None if split.label is None else split.label[kept]
            sources[name] = MemorySource(
                "audio", {}, Ragged.of(waves), label, collected.label_names, collected.skipped
            )
    return sources


def _streamed(collected: Collected, decode: Decode, threads: int) -> dict[str, Source]:
    """Every header read, recordings without one left out; what else is broken shows when it is used. At an address
    no header is read."""
    sources: dict[str, Source] = {}
    for name, split in collected.splits.items():
        if (far := listed(split.items)) is not None:
            kept, broken = far[0], [Skipped(split.where(i), "is empty") for i in far[1]]
        else:
            headers, broken = _headers({name: split}, decode.assumed, threads)
            kept = sorted(headers[name])
        collected.skipped += broken
        source = StreamSource(
            "audio",
            {},
            split.items,
            decode,
            split.where,
            split.label,
            collected.label_names,
            collected.skipped,
            collate=Ragged.of,
        )
        sources[name] = source.take(torch.tensor(kept, dtype=torch.int64))
    return sources


def _headers(
    splits: dict[str, Split], assumed: int, threads: int, probe: int | None = None
) -> tuple[dict[str, dict[int, Header]], list[Skipped]]:
    """Headers by split and place, of all recordings or of ``probe`` spread over each split; what has none."""
    found, broken = {}, []
    for name, split in splits.items():
        at = _spread(len(split.items), probe or len(split.items))
        done, failed = each(partial(_header, split.items, at, assumed), len(at), threads)
        found[name] = {at[i]: header for i, header in done.items()}
        broken += [Skipped(split.where(at[i]), reason) for i, reason in failed.items()]
    return found, broken


def _header(items: Items, at: list[int], assumed: int, i: int) -> Header:
    return read_header(items[at[i]], assumed)


def _spec(sources: dict[str, Source], rate: int, seen: Sequence[Header]) -> Spec:
    """Rate, number of bands with their mean and deviation in train, and shortest, median and longest seconds."""
    source = sources.get("train", next(iter(sources.values())))
    mels = bands(rate)
    front = LogMel(rate, mels)
    total, squares, count = torch.zeros(mels).double(), torch.zeros(mels).double(), 0
    for part in torch.tensor(_spread(len(source), MEASURED)).split(32):
        frames = front(waveforms(source.fetch(part).x)).values.double()
        total, squares, count = total + frames.sum(0), squares + frames.square().sum(0), count + len(frames)
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(0).sqrt().clamp_min(0.01)  # one tone has none
    seconds = sorted(min(header.seconds, MAX_SECONDS) for header in seen)
    return {
        "rate": rate,
        "mels": mels,
        "mean": [round(v, 4) for v in mean.tolist()],
        "std": [round(v, 4) for v in std.tolist()],
        "seconds": [round(v, 3) for v in (seconds[0], seconds[len(seconds) // 2], seconds[-1])],
    }


def _spread(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` of 0..count-1, evenly spread."""
    return sorted({i * count // wanted for i in range(wanted)}) if count > wanted else list(range(count))
