"""Series as patches of time, each series on a scale of its own."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from anyview.data.batch import Ragged
from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.errors import InputError

EPS = 1e-4  #: added to the variance: on the scale of the training data, less than 0.01 is no change


def series_input(input: dict[str, Any]) -> tuple[int, int]:
    """``(channels, usual length)`` of the series that ``input`` describes; InputError when it is none."""
    channels, length = input.get("channels"), input.get("length")
    if not isinstance(channels, int) or not isinstance(length, int) or min(channels, length) < 1:
        raise InputError(f"series have channels and a length, not {channels} and {length}")
    return channels, length


def default_patch(length: int) -> int:
    """Steps of a patch: 16 as in PatchTST, fewer for short series so that there are about 16 tokens."""
    return min(16, max(1, length // 16))


def dense(
    x: Tensor | Ragged,
) -> tuple[Float[Tensor, "batch time channels"], Int64[Tensor, "batch"], Bool[Tensor, "batch time"]]:
    """Values, zero where a shorter series has none; lengths; which steps are there."""
    if isinstance(x, Ragged):
        values, valid = x.padded()
        return values, x.length, valid
    values = x.transpose(1, 2)
    length = torch.full((len(x),), x.shape[2], device=x.device)
    return values, length, torch.ones(values.shape[:2], dtype=torch.bool, device=x.device)


def statistics(
    values: Float[Tensor, "batch time channels"], valid: Bool[Tensor, "batch time"]
) -> tuple[Float[Tensor, "batch 1 channels"], Float[Tensor, "batch 1 channels"]]:
    """Mean and deviation of every channel over the steps that are there."""
    there = valid[..., None].to(values.dtype)
    count = there.sum(1, keepdim=True).clamp_min(1)
    mean = (values * there).sum(1, keepdim=True) / count
    variance = ((values - mean).square() * there).sum(1, keepdim=True) / count
    return mean, (variance + EPS).sqrt()


class SeriesTokenizer(Tokenizer):
    """Patches of time through one linear layer (PatchTST, arXiv:2211.14730, section 3.1), without overlap.

    Every series is brought to mean 0 and deviation 1 in each channel, over its own steps (reversible instance
    normalisation, Kim et al. 2022; without its learned affine part). Targets are on that scale; ``restore``
    undoes it. Level and deviation are not lost: a linear layer of them is added to every token.

    A series whose length is no multiple of the patch repeats its last step to fill the last patch.

    Args:
        channels: channels of a series.
        length: usual length of a series; others work too.
        patch: steps of a patch.
        dim: width of a token.
        mixed: a patch holds all channels, and its place in time is its coordinate. Else every channel has
            patches of its own (PatchTST's channel independence), embedded alike, with coordinates (time,
            channel).
    """

    modality = "series"
    mask_ratio = 0.5

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "SeriesTokenizer":
        channels, length = series_input(input)
        patch = default_patch(length) if patch is None else patch
        return cls(channels, length, patch, dim, bool(input.get("mixed", True)))

    def __init__(self, channels: int, length: int, patch: int, dim: int, mixed: bool = True) -> None:
        super().__init__()
        if patch < 1:
            raise InputError(f"patch {patch} cannot be; take 1 step or more")
        self.channels, self.patch, self.dim, self.mixed = channels, patch, dim, mixed
        tokens = -(-length // patch)
        self.axes, self.grid = (1, (tokens,)) if mixed else (2, (tokens, channels))
        each = channels if mixed else 1
        self.target_size = patch * each
        self.linear = nn.Linear(self.target_size, dim)
        self.level = nn.Linear(2 * each, dim)
        for layer in (self.linear, self.level):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def layout(
        self, x: Tensor | Ragged
    ) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        """The number of every patch (and of its channel); those a shorter series does not reach are invalid."""
        if isinstance(x, Ragged):
            length, batch, device = x.length, len(x), x.length.device
            longest = int(length.max()) if batch else 0
        else:
            batch, longest, device = len(x), x.shape[2], x.device
            length = torch.full((batch,), longest, device=device)
        place = torch.arange(-(-longest // self.patch), device=device)
        valid = place * self.patch < length[:, None]
        if self.mixed:
            return place.float()[:, None].expand(batch, -1, -1), valid
        channel = torch.arange(self.channels, device=device)
        coords = torch.stack(torch.meshgrid(place, channel, indexing="ij"), -1).flatten(0, 1).float()
        return coords.expand(batch, -1, -1), valid.repeat_interleave(self.channels, 1)

    def embed(self, x: Tensor | Ragged) -> Tokens:
        patches, mean, std = self._patches(x)
        level = torch.cat([mean, std.log()], -1)  # (batch, 1, 2 channels)
        if not self.mixed:
            level = torch.stack([mean, std.log()], -1)[:, 0]  # (batch, channels, 2)
            level = level.repeat(1, patches.shape[1] // self.channels, 1)
        return Tokens(self.linear(patches) + self.level(level), *self.layout(x))

    def targets(self, x: Tensor | Ragged) -> Targets:
        """The normalised steps of every patch, ``(batch, tokens, patch · channels)``."""
        return Targets(self._patches(x)[0], self.target_kind, self.target_size)

    def restore(self, x: Tensor | Ragged, patches: Float[Tensor, "batch tokens size"]) -> Tensor:
        """Patches on the scale of ``targets`` as ``(batch, channels, time)`` on that of ``x``."""
        mean, std = statistics(*dense(x)[::2])
        steps = patches.unflatten(2, (self.patch, -1))
        if not self.mixed:
            steps = steps.unflatten(1, (-1, self.channels)).squeeze(-1).transpose(2, 3)
        return (steps.flatten(1, 2) * std + mean).transpose(1, 2)

    def _patches(self, x: Tensor | Ragged) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised patches ``(batch, tokens, patch · channels)``, and mean and deviation of each channel."""
        values, length, valid = dense(x)
        if values.shape[2] != self.channels:
            raise InputError(f"expected series of {self.channels} channels, got {values.shape[2]}")
        mean, std = statistics(values, valid)
        values = (values - mean) / std
        tokens = -(-values.shape[1] // self.patch)
        step = torch.arange(tokens * self.patch, device=values.device)
        step = torch.minimum(step, (length - 1).clamp_min(0)[:, None])
        filled = values.gather(1, step[..., None].expand(-1, -1, self.channels))
        cut = filled.unflatten(1, (tokens, self.patch))  # (batch, tokens, patch, channels)
        if not self.mixed:
            cut = cut.transpose(2, 3).flatten(1, 2)[..., None]  # (batch, tokens · channels, patch, 1)
        return cut.flatten(2), mean, std
