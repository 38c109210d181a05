"""Which patches of two crops of one image show the same place (UDI, Su and Ji 2024, arXiv:2407.17671, section 3.2)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from anyview.data.batch import payload_cat
from anyview.encoders.token_encoder import TokenEncoder
from anyview.errors import InputError

#: pixels, where they were cut from their images, and whether they were mirrored after that
Cut = tuple[Float[Tensor, "batch channels rows columns"], Int64[Tensor, "batch 4"], Bool[Tensor, "batch"]]
#: what ``in_image`` and ``in_crop`` take of a crop: patches along its height and width, its box, mirrored or not
Frame = tuple[tuple[float, float], Int64[Tensor, "batch 4"], Bool[Tensor, "batch"]]


class Crop(NamedTuple):
    """What an encoder gives of a crop, and where in the image that is.

    Args:
        vector: of the whole crop.
        extra: tokens beside the patches.
        values: of the patches.
        coords: row and column of each patch.
        frame: as ``in_image`` and ``in_crop`` take it.
    """

    vector: Float[Tensor, "batch dim"]
    extra: Float[Tensor, "batch extra dim"]
    values: Float[Tensor, "batch tokens dim"]
    coords: Float[Tensor, "batch tokens 2"]
    frame: Frame

    def places(self, index: Int64[Tensor, "batch wanted"]) -> Float[Tensor, "batch wanted 2"]:
        """Where in the image the patches lie that ``index`` names."""
        return in_image(pick(self.coords, index), *self.frame)

    def between(self, at: Float[Tensor, "batch wanted 2"]) -> Float[Tensor, "batch wanted dim"]:
        """What the patches say of rows and columns between them."""
        return interpolate(self.values, self.coords, at)


def crops(encoder: TokenEncoder, cuts: list[Cut]) -> list[Crop]:
    """What ``encoder``, one of patches, gives of each of several crops of one size, in a single pass; of none, none."""
    if not cuts:
        return []
    xs, boxes, flips = zip(*cuts)
    patch, (height, width) = encoder.tokenizer.patch, xs[0].shape[2:]
    vector, extra, tokens = encoder.parts(payload_cat(xs))
    parts = zip(*(t.chunk(len(xs)) for t in (vector, extra, tokens.values, tokens.coords)))
    cells = height / patch, width / patch
    return [Crop(v, e, p, at, (cells, *where)) for (v, e, p, at), where in zip(parts, zip(boxes, flips))]


def one_per_window(coords: Float[Tensor, "batch tokens 2"], window: int) -> Int64[Tensor, "batch windows"]:
    """One token of each window of ``window`` x ``window`` tokens, drawn uniformly for every sample: stratified random
    sampling.

    Args:
        coords: row and column of each token, the same for all samples.
        window: side; windows at the right and below are smaller where the sides are no multiples of it.
    """
    place = (coords[0] / window).long()
    number = place[:, 0] * (place[:, 1].max() + 1) + place[:, 1]
    member = number == torch.arange(int(number.max()) + 1, device=number.device)[:, None]
    drawn = torch.rand(coords.shape[:2]).to(coords.device)
    return drawn[:, None].where(member, -1.0).argmax(-1)


def pick(
    values: Float[Tensor, "batch tokens dim"], index: Int64[Tensor, "batch wanted"]
) -> Float[Tensor, "batch wanted dim"]:
    """The tokens of each sample that ``index`` names."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))


def in_image(
    coords: Float[Tensor, "batch tokens 2"],
    cells: tuple[float, float],
    box: Int64[Tensor, "batch 4"],
    flip: Bool[Tensor, "batch"],
) -> Float[Tensor, "batch tokens 2"]:
    """The middle of each patch of a crop, in pixels of the image that it was cut from.

    Args:
        coords: row and column of each patch.
        cells: patches along the crop's height and width.
        box: top, left, height and width of the crop in the image.
        flip: whether the crop was mirrored after it was cut.
    """
    share = _mirrored((coords + 0.5) / coords.new_tensor(cells), flip)
    return box[:, None, :2] + share * box[:, None, 2:]


def in_crop(
    places: Float[Tensor, "batch tokens 2"],
    cells: tuple[float, float],
    box: Int64[Tensor, "batch 4"],
    flip: Bool[Tensor, "batch"],
) -> tuple[Float[Tensor, "batch tokens 2"], Bool[Tensor, "batch tokens"]]:
    """Row and column in a crop, as fractions, of ``places`` in its image, and whether they lie inside: undoes
    ``in_image``, whose arguments these are."""
    share = (places - box[:, None, :2]) / box[:, None, 2:]
    inside = ((share >= 0) & (share <= 1)).all(-1)
    return _mirrored(share, flip) * places.new_tensor(cells) - 0.5, inside


def interpolate(
    values: Float[Tensor, "batch tokens dim"],
    coords: Float[Tensor, "batch tokens 2"],
    at: Float[Tensor, "batch wanted 2"],
) -> Float[Tensor, "batch wanted dim"]:
    """The patches' vectors between their middles, bilinearly; beyond the outermost ones, as these are.

    Args:
        values: of all patches in reading order.
        coords: row and column of each, the same for all samples.
        at: row and column of what is wanted.
    """
    rows, columns = (int(n) + 1 for n in coords[0].amax(0))
    plane = values.unflatten(1, (rows, columns)).permute(0, 3, 1, 2)
    grid = (2 * at + 1) / at.new_tensor([rows, columns]) - 1
    found = F.grid_sample(plane, grid.flip(-1)[:, None].to(plane), padding_mode="border", align_corners=False)
    return found[:, :, 0].transpose(1, 2)


class Gathering(nn.Module):
    """Queries that gather what all patches say: ``norm(q + attention(q, patches))``.

    Raises:
        InputError: when ``dim`` is no multiple of ``heads``.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise InputError(f"dim {dim} cannot be shared by {heads} heads; make dim a multiple of heads")
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(
        self, queries: Float[Tensor, "batch wanted dim"], patches: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch wanted dim"]:
        found, _ = self.attention(queries, patches, patches, need_weights=False)
        return self.norm(queries + found)


def _mirrored(share: Float[Tensor, "batch tokens 2"], flip: Bool[Tensor, "batch"]) -> Tensor:
    row, column = share.unbind(-1)
    return torch.stack([row, torch.where(flip[:, None], 1 - column, column)], -1)
