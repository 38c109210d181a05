"""A pretrained encoder with all that is needed to use it: ``embed``, ``save``, ``load``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from anyview import data as data_room
from anyview.data.batch import Payload, payload_cat, payload_shape
from anyview.data.loader import batches
from anyview.data.source import Dataset, MemorySource, Source
from anyview.encoders import registry
from anyview.encoders.base import Encoder
from anyview.encoders.batch_norm import batch_norms, counted_anew
from anyview.encoders.foreign import ForeignEncoder
from anyview.errors import InputError
from anyview.modalities import Modality, modality
from anyview.training.precision import autocast, channels_last, has_bf16, pick_device, pick_precision
from anyview.training.step import seed_step

Spec = dict[str, Any]
Parts = Callable[[Payload], tuple[Payload, ...]]

PROBED = 32  #: samples that are embedded in both number formats to see whether the quick one will do
NEAR = 0.9999  #: cosine that says so


class Model:
    """An encoder, the modality it reads and what its samples look like.

    Attributes:
        encoder: the network; ``encoder(x)`` is ``(batch, dim)`` for inputs made by ``modality.inputs``.
        modality: reader, views and raw features of its kind of data.
        spec: shape and normalisation of the samples it was trained on.
        run: the run folder it came from, or None.
        precision: what ``auto`` means in embedding: the machine's quickest, or that of who made the encoder.
    """

    precision = "auto"

    def __init__(self, encoder: Encoder, modality: Modality, spec: Spec, run: Path | None = None) -> None:
        # of one memory layout, trained here or loaded: in bf16 another layout rounds otherwise
        self.encoder = channels_last(encoder.eval())
        self.modality = modality
        self.spec = spec
        self.run = run

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.encoder.dim

    def embed(
        self,
        data: Any,
        *,
        split: str | None = None,
        batch_size: int = 256,
        device: str = "auto",
        precision: str = "auto",
    ) -> np.ndarray:
        """Embeddings of all samples in order, float32 ``(samples, dim)``.

        Args:
            data: whatever ``anyview.open`` takes, or one of its splits.
            split: which split of data that has several; None takes ``train`` when it is the only one.
            batch_size: samples at a time.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            precision: ``auto``, ``near``, ``fp32`` or ``bf16``; ``auto`` is ``near`` for an encoder that others made.

        Raises:
            InputError: for data that cannot be read, of another modality, or of several splits without a name.
        """
        source, form = self.open(data, split), self.quick(precision)
        return self.embed_source(source, batch_size=batch_size, device=device, precision=form).numpy()

    def quick(self, precision: str) -> str:
        """What ``precision`` means where vectors are wanted, and no figures that others published are compared:
        ``auto`` is ``near`` for an encoder of theirs."""
        return "near" if precision == "auto" and self.precision != "auto" else precision

    def open(self, data: Any, split: str | None = None) -> Source:
        """One split of ``data``, with samples of the size this encoder was trained on."""
        if isinstance(data, Source):
            return data
        opened = self.open_all(data)
        if split is None and len(opened.splits) > 1:
            raise InputError(f"{opened.name} has splits {', '.join(opened.splits)}; say which with split")
        return opened.split(split or next(iter(opened.splits)))

    def open_all(self, data: Any, label: str | None = None) -> Dataset:
        """``data`` with all its splits, and samples of the size this encoder was trained on."""
        return data_room.open(data, modality=self.modality.name, label=label, like=self.spec)

    def embed_source(
        self, source: Source, *, batch_size: int = 256, device: str = "auto", precision: str = "auto"
    ) -> Float[Tensor, "samples dim"]:
        """As ``embed``, for a split that is open already; the result is on the CPU.

        ``precision`` ``auto`` is ``self.precision``; ``near`` is bf16 where the processor has instructions for it and
        the first samples come out as in fp32, to a cosine of ``NEAR``, else fp32.

        A sample that turns out to be unreadable has a row of NaN (and stands in ``source.skipped``).
        """
        return self._embed(source, lambda x: (x,), batch_size, device, precision)[0]

    def pairs(self, source: Source) -> bool:
        """Whether the samples of a split are pairs, whose sides can be embedded alone."""
        return self._first_pair(source) is not None

    def alike(self, source: Source) -> bool:
        """Whether they are pairs with both sides of one kind: two sentences, rather than an image and a text."""
        sides = self._first_pair(source)
        return sides is not None and same_kind(sides)

    def side_names(self, source: Source) -> tuple[str, str]:
        """What the sides of pairs are called: the keys of their payload, or first and second."""
        x = source.fetch(torch.zeros(1, dtype=torch.int64)).x
        names = [str(name) for name in x] if isinstance(x, dict) else []
        return (names[0], names[1]) if len(names) == 2 else ("first", "second")

    def _first_pair(self, source: Source) -> tuple[Payload, Payload] | None:
        return self.modality.sides(source.fetch(torch.zeros(1, dtype=torch.int64)).x) if len(source) else None

    def embed_sides(
        self, source: Source, *, batch_size: int = 256, device: str = "auto", precision: str = "auto"
    ) -> tuple[Float[Tensor, "samples dim"], Float[Tensor, "samples dim"]]:
        """As ``embed_source``, for both sides of samples that are pairs, each embedded alone.

        Raises:
            InputError: for samples that are no pairs.
        """
        if not self.pairs(source):
            raise InputError(f"these {self.modality.unit} are no pairs, so they have no two sides to embed")
        first, second = self._embed(source, self._sides, batch_size, device, precision)
        return first, second

    def embed_words(self, texts: list[str], device: str = "auto") -> Float[Tensor, "texts dim"] | None:
        """Embeddings of names of classes as second sides of pairs; None where second sides are no text."""
        payload = self.modality.words(texts, self.spec)
        if payload is None:
            return None
        named = MemorySource(self.modality.name, self.spec, payload)
        return self.embed_source(named, device=device)

    def _embed(
        self, source: Source, parts: Parts, batch_size: int, device: str, precision: str
    ) -> list[Float[Tensor, "samples dim"]]:
        """Embeddings of each part of the samples."""
        place = pick_device(device)
        self.encoder.to(place).eval()
        form = self.precision if precision == "auto" else precision
        form = self._near(source, parts, place) if form == "near" else pick_precision(form, place)
        out: list[Tensor] = []
        # what trains on large batches, as the nodes of one graph do, is embedded in them too
        batch_size = max(batch_size, self.modality.batch_size(self.spec, len(source)) or 0)
        with torch.no_grad(), autocast(form, place):
            for batch in batches(source, batch_size, alike=True):
                found = [
                    self.encoder(self.modality.inputs(x, self.spec)).float().cpu()
                    for x in parts(batch.to(place).x)
                ]
                _enter(out, found, batch.index, len(source))
        return out or [torch.empty(0, self.dim)]

    def _near(self, source: Source, parts: Parts, place: torch.device) -> str:
        """``bf16`` if the first samples have about the same embeddings in it, else ``fp32``."""
        if not has_bf16(place):
            return "fp32"
        first = source.fetch(torch.arange(min(PROBED, len(source))))
        if not len(first):  # no sample, or none that can be read
            return "fp32"
        x = first.to(place).x

        def of(form: str) -> Tensor:
            with torch.no_grad(), autocast(form, place):
                return torch.cat([self.encoder(self.modality.inputs(part, self.spec)) for part in parts(x)])

        near = F.cosine_similarity(of("bf16").float(), of("fp32").float()) > NEAR
        return "bf16" if bool(near.all()) else "fp32"

    def _sides(self, x: Payload) -> tuple[Payload, Payload]:
        sides = self.modality.sides(x)
        assert sides is not None
        return sides

    def raw(
        self, train: Source, *, batch_size: int = 1024
    ) -> Callable[[Source], Float[Tensor, "samples features"]]:
        """What gives raw features, which an embedding must beat: a function of splits, fitted on ``train``
        where the modality's need it. Samples are in order, unreadable ones as above."""
        features_of = self.modality.raw(train, self.spec)

        def raw(source: Source) -> Tensor:
            out: list[Tensor] = []
            for batch in batches(source, batch_size):
                _enter(out, [features_of(batch.x)], batch.index, len(source))
            return out[0] if out else torch.empty(0, 0)

        return raw

    def raw_sides(
        self, train: Source, *, batch_size: int = 1024
    ) -> Callable[[Source], tuple[Tensor, Tensor]] | None:
        """As ``raw``, for both sides of pairs; None where their raw features cannot be compared, as those of
        an image and a text."""
        if not self.alike(train):
            return None
        features_of = self.modality.raw(train, self.spec)

        def raw(source: Source) -> tuple[Tensor, Tensor]:
            out: list[Tensor] = []
            for batch in batches(source, batch_size):
                _enter(out, [features_of(side) for side in self._sides(batch.x)], batch.index, len(source))
            return out[0], out[1]

        return raw

    @property
    def renewable(self) -> bool:
        """Whether the same encoder with fresh weights can be made, and so be trained here; not of vectors, files of
        finished networks and functions."""
        return not isinstance(self.encoder, ForeignEncoder) or self.encoder.fresh() is not None

    def fresh(self) -> Encoder:
        """The same network with fresh weights, also when this one started from somebody's weights.

        Raises:
            InputError: for an encoder made elsewhere that cannot be built again.
        """
        if not isinstance(self.encoder, ForeignEncoder):
            return registry.build(**{k: v for k, v in self.encoder.config.items() if k not in registry.START})
        found = self.encoder.fresh()
        if found is None:
            name = self.encoder.config["name"]
            raise InputError(
                f"{name} was made elsewhere and cannot be trained here, so there is no untrained one"
            )
        return found

    def untrained(self, source: Source, seed: int = 0) -> "Model":
        """The same encoder with fresh weights; its batch norms get statistics from ``source``, since a
        pretrained one has them too and an untrained network without them would be a straw man."""
        seed_step(seed, 0)
        fresh = self.fresh()
        model = Model(fresh, self.modality, self.spec)
        model.precision = self.precision
        calibrate(fresh, source, lambda x: self.modality.inputs(self._alone(x), self.spec), seed)
        return model

    def _alone(self, x: Payload) -> Payload:
        """Samples as the encoder takes them: of pairs of one kind, all sides one after the other."""
        sides = self.modality.sides(x)
        return payload_cat(sides) if sides and same_kind(sides) else x

    def save(self, folder: str | Path) -> Path:
        """Writes ``config.json`` and ``model.safetensors`` into ``folder`` and returns it."""
        folder = Path(folder)
        registry.save(self.encoder, folder, {"modality": self.modality.name, "spec": self.spec})
        return folder

    @staticmethod
    def load(path: str | Path) -> "Model":
        """Loads a run folder, its ``encoder/`` folder, or any folder that ``save`` wrote.

        Raises:
            InputError: when there is no encoder, or its file does not fit its configuration.
        """
        path = Path(path)
        folder = path / "encoder" if (path / "encoder").is_dir() else path
        if not (folder / "config.json").is_file():
            hint = (
                "; its training did not finish: anyview resume " + str(path)
                if (path / "config.yaml").is_file()
                else ""
            )
            raise InputError(f"{path} holds no encoder (no config.json){hint}")
        encoder, extra = registry.load(folder)
        if not {"modality", "spec"} <= set(extra):
            raise InputError(f"{folder}/config.json does not say what it was trained on (modality, spec)")
        kind = modality(str(extra["modality"]))
        try:
            kind.check(extra["spec"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{folder}/config.json has a spec that describes no {kind.name}") from error
        return Model(encoder, kind, extra["spec"], run=path if folder != path else None)

    def __repr__(self) -> str:
        name = self.encoder.config["name"]
        return f"Model({name}, {self.modality.describe(self.spec)} -> {self.dim})"


def same_kind(sides: tuple[Payload, Payload]) -> bool:
    """Whether both sides are of one kind, such as two sentences, rather than an image and a text."""
    return bool(payload_shape(sides[0]) == payload_shape(sides[1]))


def _enter(out: list[Tensor], found: list[Tensor], index: Tensor, count: int) -> None:
    """Writes rows of a batch where they belong; rows that nothing is written to stay NaN."""
    if not out:
        out += [torch.full((count, x.shape[1]), torch.nan) for x in found]
    for whole, x in zip(out, found):
        whole[index] = x


@torch.no_grad()
def calibrate(
    encoder: nn.Module, source: Source, inputs: Callable[[Any], Any], seed: int = 0, samples: int = 1024
) -> None:
    """Sets the running statistics of batch norms to those of a part of ``source``."""
    if not batch_norms(encoder):
        return
    pick = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:samples]
    encoder.train()
    with counted_anew(encoder):
        for part in pick.split(256):
            if len(part) > 1:
                encoder(inputs(source.fetch(part).x))
    encoder.eval()
