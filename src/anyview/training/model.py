"""A pretrained encoder with all that is needed to use it: ``embed``, ``save``, ``load``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from anyview import data as data_room
from anyview.data.loader import batches
from anyview.data.source import Source
from anyview.encoders import registry
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.modalities import Modality, modality
from anyview.training.precision import autocast, pick_device, pick_precision
from anyview.training.step import seed_step

Spec = dict[str, Any]


class Model:
    """An encoder, the modality it reads and what its samples look like.

    Attributes:
        encoder: the network; ``encoder(x)`` is ``(batch, dim)`` for inputs made by ``modality.inputs``.
        modality: reader, views and raw features of its kind of data.
        spec: shape and normalisation of the samples it was trained on.
        run: the run folder it came from, or None.
    """

    def __init__(self, encoder: Encoder, modality: Modality, spec: Spec, run: Path | None = None) -> None:
        # of one memory layout, trained here or loaded: in bf16 another layout rounds otherwise
        self.encoder = encoder.eval().to(memory_format=torch.channels_last)
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
            precision: ``auto``, ``fp32`` or ``bf16``.

        Raises:
            InputError: for data that cannot be read, of another modality, or of several splits without a name.
        """
        source = self.open(data, split)
        return self.embed_source(source, batch_size=batch_size, device=device, precision=precision).numpy()

    def open(self, data: Any, split: str | None = None) -> Source:
        """One split of ``data``, with samples of the size this encoder was trained on."""
        if isinstance(data, Source):
            return data
        opened = data_room.open(data, modality=self.modality.name, like=self.spec)
        if split is None and len(opened.splits) > 1:
            raise InputError(f"{opened.name} has splits {', '.join(opened.splits)}; say which with split")
        return opened.split(split or next(iter(opened.splits)))

    def embed_source(
        self, source: Source, *, batch_size: int = 256, device: str = "auto", precision: str = "auto"
    ) -> Float[Tensor, "samples dim"]:
        """As ``embed``, for a split that is open already; the result is on the CPU.

        A sample that turns out to be unreadable has a row of NaN (and stands in ``source.skipped``).
        """
        place = pick_device(device)
        form = pick_precision(precision, place)
        self.encoder.to(place).eval()
        out = torch.full((len(source), self.dim), torch.nan)
        with torch.no_grad(), autocast(form, place):
            for batch in batches(source, batch_size):
                x = self.modality.inputs(batch.to(place).x, self.spec)
                out[batch.index] = self.encoder(x).float().cpu()
        return out

    def raw(
        self, train: Source, *, batch_size: int = 1024
    ) -> Callable[[Source], Float[Tensor, "samples features"]]:
        """What gives raw features, which an embedding must beat: a function of splits, fitted on ``train``
        where the modality's need it. Samples are in order, unreadable ones as above."""
        features_of = self.modality.raw(train, self.spec)

        def raw(source: Source) -> Tensor:
            out = torch.empty(0)
            for batch in batches(source, batch_size):
                features = features_of(batch.x)
                if not len(out):
                    out = torch.full((len(source), features.shape[1]), torch.nan)
                out[batch.index] = features
            return out

        return raw

    def untrained(self, source: Source, seed: int = 0) -> "Model":
        """The same encoder with fresh weights; its batch norms get statistics from ``source``, since a
        pretrained one has them too and an untrained network without them would be a straw man."""
        seed_step(seed, 0)
        fresh = untrained_encoder(self.encoder)
        model = Model(fresh, self.modality, self.spec)
        calibrate(fresh, source, lambda x: self.modality.inputs(x, self.spec), seed)
        return model

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


def untrained_encoder(encoder: Encoder) -> Encoder:
    """The same network with fresh weights, also when this one started from somebody's weights."""
    return registry.build(**{k: v for k, v in encoder.config.items() if k not in registry.START})


@torch.no_grad()
def calibrate(
    encoder: nn.Module, source: Source, inputs: Callable[[Any], Any], seed: int = 0, samples: int = 1024
) -> None:
    """Sets the running statistics of batch norms to those of a part of ``source``."""
    norms = [m for m in encoder.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    pick = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:samples]
    for norm in norms:
        norm.reset_running_stats()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # a plain average over what follows
    encoder.train()
    for part in pick.split(256):
        if len(part) > 1:
            encoder(inputs(source.fetch(part).x))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    encoder.eval()
