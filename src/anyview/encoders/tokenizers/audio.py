"""Audio as patches of its log-mel spectrogram: a few frames of all bands, or squares of time and frequency."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.audio.logmel import LogMel, places
from anyview.data.batch import Payload, Ragged
from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.errors import InputError
from anyview.views.audio import heard, hide


def default_patch(frames: int) -> int:
    """Frames in a token for recordings of so many: 20 to 50 ms, about 20 to 250 tokens."""
    return 2 if frames <= 100 else 4


class SpectrogramTokenizer(Tokenizer):
    """Patches of a normalised log-mel spectrogram through one linear layer.

    With ``square`` a patch has as many bands as frames (AST, arXiv:2104.01778) and tokens have two axes, time
    and frequency; else all bands, and one axis. Frames and bands that fill up the last patch are 0, the mean.

    Args:
        input: ``rate``, ``mels``, ``mean``, ``std`` of the spectrogram, and median and longest ``frames``.
        dim: width of a token.
        patch: frames in a token.
    """

    modality = "audio"
    mask_ratio = 0.5

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "SpectrogramTokenizer":
        return cls(input, dim, default_patch(input["frames"][0]) if patch is None else patch)

    def __init__(self, input: dict[str, Any], dim: int, patch: int, square: bool = False) -> None:
        super().__init__()
        if patch < 1 or (square and patch > input["mels"]):
            most = f" and {input['mels']} at most" if square else ""
            raise InputError(f"patch {patch} cannot be; take 1 frame or more{most}")
        self.front = LogMel(input["rate"], input["mels"], input["mean"], input["std"])
        self.patch, self.dim = patch, dim
        self.height = patch if square else input["mels"]  # bands in a token
        self.rows = -(-input["mels"] // self.height)  # tokens above each other
        columns = -(-input["frames"][1] // patch)
        self.axes = 2 if square else 1
        self.grid = (columns, self.rows) if square else (columns,)
        self.target_size = patch * self.height
        self.linear = nn.Linear(self.target_size, dim)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def layout(self, x: Payload) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        """``(column)`` or ``(column, row)`` of every patch, columns one after the other."""
        wave, _, _ = heard(x)
        count = self._columns(self.front.frames(wave.length)) * self.rows
        step = torch.arange(int(count.max()) if len(count) else 0, device=count.device)
        place = [step // self.rows, step % self.rows][: self.axes]
        coords = torch.stack(place, -1).to(torch.float32).expand(len(count), -1, -1)
        return coords, step < count[:, None]

    def embed(self, x: Payload) -> Tokens:
        patches = self.patches(x)
        values, _ = Ragged(self.linear(patches.values), patches.length).padded()
        return Tokens(values, *self.layout(x))

    def targets(self, x: Payload) -> Targets:
        """The normalised log-mel of every patch, ``(batch, tokens, frames · bands)``."""
        return Targets(self.patches(x).padded()[0], self.target_kind, self.target_size)

    def patches(self, x: Payload) -> Ragged:
        """Patches packed end to end, each flattened as ``(frame, band)``."""
        wave, time, mel = heard(x)
        frames = hide(self.front(wave), time, mel)
        columns = self._columns(frames.length)
        total, bands = int(columns.sum()), frames.values.shape[1]
        sample, step = places(frames.length)
        start = (columns.cumsum(0) - columns) * self.patch
        filled = frames.values.new_zeros(total * self.patch, self.rows * self.height)
        filled[start[sample] + step, :bands] = frames.values
        cut = filled.view(total, self.patch, self.rows, self.height).transpose(1, 2)
        return Ragged(cut.reshape(total * self.rows, self.target_size), columns * self.rows)

    def _columns(self, frames: Tensor) -> Tensor:
        return torch.div(frames + self.patch - 1, self.patch, rounding_mode="floor")
