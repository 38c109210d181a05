"""Section of the report: samples, and their views as the method saw them."""

from html import escape

import numpy as np

from anyview.report.parts import missing
from anyview.report.pictures import picture, to_rgb
from anyview.report.record import Record


def samples(record: Record) -> str:
    """Originals and, below each, its views as the method saw them."""
    if not record.samples:
        return missing("This run folder holds no views to show (samples.npz).")
    original, views = to_rgb(record.samples["original"][:8]), to_rgb(record.samples["views"][:8, :8])
    given = [str(t) for t in record.samples.get("titles", ())]
    titles = given if len(given) == views.shape[1] else [f"view {i + 1}" for i in range(views.shape[1])]
    rows = [("sample", original), *zip(titles, views.swapaxes(0, 1))]
    mask = record.samples.get("mask")
    if mask is not None and not given and mask.ndim == 3 and len(mask) >= len(original):
        rows.insert(1, ("hidden", _hide(original, mask[:8])))
    side = int(np.clip((200_000 / (len(original) * len(rows))) ** 0.5, 32, 144))
    sharp = "pixels" if max(original.shape[1:3]) < 64 else ""
    parts = []
    for title, pictures in rows:
        tiles = "".join(
            f'<img class="{sharp}" alt="{escape(title)} {i + 1}" src="{picture(p, side)}">'
            for i, p in enumerate(pictures)
        )
        parts.append(
            f'<div class="row"><span>{escape(title)}</span><div class="tiles-row">{tiles}</div></div>'
        )
    return (
        '<p class="lead">Each column is one sample. Below it is all that the method was given to learn from.'
        f'</p><div class="samples">{"".join(parts)}</div>'
    )


def _hide(images: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Greys what the mask hides; the mask may be coarser than the picture (one entry a patch)."""
    rows = np.arange(images.shape[1]) * mask.shape[1] // images.shape[1]
    columns = np.arange(images.shape[2]) * mask.shape[2] // images.shape[2]
    hidden = mask[:, rows][:, :, columns].astype(bool)
    return np.where(hidden[..., None], np.uint8(128), images)
