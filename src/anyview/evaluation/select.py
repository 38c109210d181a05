"""Which of several runs, when there are no labels: ranks them by a criterion of their embeddings."""

import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import anyview.data as data_room
from anyview.data.batch import payload_shape
from anyview.data.loader import batches
from anyview.data.source import Source
from anyview.errors import InputError, unknown
from anyview.objectives.criteria import CRITERIA, Criterion
from anyview.training.config import Config
from anyview.training.folder import read_config
from anyview.training.model import Model
from anyview.training.precision import pick_device
from anyview.training.step import seed_step

SAMPLES = 2000  #: embedded at most, as many as a run keeps


@dataclass(frozen=True)
class Ranked:
    """A run and its figure: ``value`` of an embedding of ``samples`` samples and ``dim`` dimensions."""

    run: Path
    method: str
    value: float
    samples: int
    dim: int

    def record(self) -> dict[str, Any]:
        """In JSON's types; a value that is not finite is null."""
        value = self.value if math.isfinite(self.value) else None
        return {
            "run": str(self.run),
            "method": self.method,
            "value": value,
            "samples": self.samples,
            "dim": self.dim,
        }


def select(
    runs: Sequence[str | Path],
    by: str = "rankme",
    data: Any = None,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> list[Ranked]:
    """The runs, best first, by a criterion of ``anyview.objectives.criteria`` that needs no labels.

    Criteria of one embedding are read off the embedding that a run keeps (``embedding.npz``: up to 2,000 of the
    samples it learned from, by the final encoder), unless ``data`` is given. Criteria of several views embed views of
    the same samples anew: the modality's ``two_views`` as it makes them by default, the same for every run. What is
    ranked is the encoder's output; the projections that some papers rank are thrown away with the head.

    Criteria compare runs of one method and width; between others a larger rank means little.

    Args:
        runs: folders of finished runs, two or more.
        by: name of the criterion.
        data: what to embed in place of what each run learned from; of several splits the first.
        say: told what is being done.

    Raises:
        InputError: for an unknown criterion, fewer than two runs, a folder that is no finished run, data that
            cannot be read or gives no views, or when no run has a finite figure.
    """
    if by not in CRITERIA:
        raise unknown("criterion", by, CRITERIA)
    paths = list(dict.fromkeys(Path(run) for run in runs))
    configs = {path: _finished(path) for path in paths}
    if len(paths) < 2:
        raise InputError("select ranks runs; give two different ones or more, such as: anyview select runs/*")
    ranked = []
    for path, config in configs.items():
        say(f"{by} of {path}")
        ranked.append(_rank(path, config, CRITERIA[by], data))
    if not any(math.isfinite(r.value) for r in ranked):
        raise InputError(
            f"{by} is not finite for any of these runs; look at their health, or take another criterion"
        )
    merit = CRITERIA[by].merit
    return sorted(ranked, key=lambda r: merit(r.value) if math.isfinite(r.value) else -math.inf, reverse=True)


def _finished(run: Path) -> Config:
    """The configuration of a run that has an encoder."""
    if not run.is_dir():
        raise InputError(
            f"no run folder {run}; give folders of finished runs, such as: anyview select runs/*"
        )
    config = read_config(run)
    if not (run / "encoder" / "config.json").is_file():
        raise InputError(f"{run} is not finished; go on with: anyview resume {run}, or leave it out")
    return config


def _rank(run: Path, config: Config, criterion: Criterion, data: Any) -> Ranked:
    if criterion.views == 1:
        z = _kept(run) if data is None else None
        if z is None:
            model, source = _opened(run, config, data)
            z = model.embed_source(source)
        z = z[z.isfinite().all(1)]
    else:
        z = _embedded_views(*_opened(run, config, data), criterion.views)
    value = criterion(z) if z.shape[-2] > 1 else math.nan
    return Ranked(run, config["method"]["name"], value, z.shape[-2], z.shape[-1])


def _kept(run: Path) -> Tensor | None:
    """The embedding in a run folder, or None where it is missing or broken."""
    try:
        with np.load(run / "embedding.npz", allow_pickle=False) as arrays:
            return torch.from_numpy(arrays["vectors"]).float()
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _opened(run: Path, config: Config, data: Any) -> tuple[Model, Source]:
    """The encoder, and up to ``SAMPLES`` samples of the data, the same for every run of the same data."""
    model = Model.load(run)
    about = config["data"]
    if data is None and about["path"] is None:
        raise InputError(f"{run} was trained on data in memory; say with --data what to embed")
    path, label = (about["path"], about["label"]) if data is None else (data, None)
    opened = data_room.open(path, modality=model.modality.name, label=label, like=model.spec)
    source = opened.pretraining if data is None else next(iter(opened.splits.values()))
    pick = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))[:SAMPLES]
    return model, source.take(pick.sort().values)


@torch.no_grad()
def _embedded_views(model: Model, source: Source, count: int) -> Float[Tensor, "views samples dim"]:
    """Embeddings of ``count`` views or one more; views depend on the sample's place and nothing else.

    Raises:
        InputError: when the modality cannot give two views of one kind.
    """
    draw, device = model.modality.views_for("two_views")(model.spec), pick_device("auto")
    model.encoder.to(device).eval()
    found = []
    for number, batch in enumerate(batches(source, 256)):
        seed_step(0, number)
        views = [view for _ in range(0, count, 2) for view in draw(batch.without_label().to(device))]
        if len({str(payload_shape(view.x)) for view in views[:2]}) > 1:
            kind = model.modality.name
            raise InputError(
                f"two views of {kind} data are of two kinds, so they cannot be compared; rank by rankme"
            )
        found.append(torch.stack([model.encoder(view.x).float().cpu() for view in views]))
    return torch.cat(found, dim=1)
