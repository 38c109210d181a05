"""What a run keeps for its report: views as the method saw them, and a part of the embedding."""

from pathlib import Path

import numpy as np
import torch

from anyview.data.batch import Payload
from anyview.data.loader import batches
from anyview.data.source import Source
from anyview.files import write_atomic
from anyview.training.model import Model
from anyview.training.plan import Plan
from anyview.training.step import seed_step

SAMPLES = 8
EMBEDDED = 2000
THUMB = 32


@torch.no_grad()
def write_samples(run: Path, plan: Plan) -> None:
    """``samples.npz``: a few samples, the views made of them, and what the method shows of its own work."""
    source, kind = plan.source, plan.modality
    batch = source.fetch(_part(len(source), SAMPLES, plan.seed))
    original = kind.picture(kind.inputs(batch.x, plan.spec), plan.spec)
    if original is None:
        return
    seed_step(plan.seed, 0)
    views = plan.method.make_views(batch)
    shown = {f"view {i + 1}": view.x for i, view in enumerate(views)} | plan.method.pictures(views)
    pictures = {name: p for name, x in shown.items() if (p := kind.picture(x, plan.spec)) is not None}
    side = original.shape[1]
    arrays = {
        "original": original.numpy(),
        "views": np.stack([_fit(p.numpy(), side) for p in pictures.values()], axis=1),
        "titles": np.array(list(pictures)),
    }
    write_atomic(run / "samples.npz", lambda p: _save(p, arrays))


def write_embedding(run: Path, model: Model, source: Source) -> None:
    """``embedding.npz``: vectors, labels for colour, and thumbnails of up to 2,000 samples."""
    index = _part(len(source), EMBEDDED, 0)
    part = source.take(index)
    arrays = {"vectors": model.embed_source(part).numpy(), "index": index.numpy()}
    if part.label is not None:
        arrays["label"] = part.label.numpy()
    thumbs = [t for batch in batches(part, 128) if (t := _thumbs(model, batch.x)) is not None]
    if thumbs:
        arrays["thumb"] = np.concatenate(thumbs)
    write_atomic(run / "embedding.npz", lambda p: _save(p, arrays))


def _thumbs(model: Model, x: Payload) -> np.ndarray | None:
    """Small pictures of a batch, uint8 ``(batch, height, width, channels)``; None where there are none."""
    pictures = model.modality.picture(model.modality.inputs(x, model.spec), model.spec)
    if pictures is None:
        return None
    step = max(1, pictures.shape[1] // THUMB)
    return pictures[:, ::step, ::step].numpy()


def _part(samples: int, size: int, seed: int) -> torch.Tensor:
    return torch.randperm(samples, generator=torch.Generator().manual_seed(seed))[:size].sort().values


def _fit(pictures: np.ndarray, side: int) -> np.ndarray:
    """Smaller views stand in the corner of a white field of the common size."""
    if pictures.shape[1] == side:
        return pictures
    field = np.full((len(pictures), side, side, pictures.shape[3]), 255, np.uint8)
    field[:, : pictures.shape[1], : pictures.shape[2]] = pictures[:, :side, :side]
    return field


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
