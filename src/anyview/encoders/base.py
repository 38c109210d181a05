"""What every encoder is, and ``Tokens``, the common currency of masked and dense methods."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyview.data.batch import Payload
from anyview.errors import InputError


@dataclass(frozen=True)
class Tokens:
    """A set of tokens per sample.

    Attributes:
        values: ``(batch, tokens, dim)``.
        coords: ``(batch, tokens, axes)``, float, in token steps (row and column of a patch, place of a word).
            One axis for text, audio and series, two for images, three for video and volumes, the feature's
            number for a table. Masks are drawn from it and positions computed from it.
        valid: ``(batch, tokens)``, False where a shorter sample has no token.
    """

    values: Float[Tensor, "batch tokens dim"]
    coords: Float[Tensor, "batch tokens axes"]
    valid: Bool[Tensor, "batch tokens"]

    def gather(self, keep: Bool[Tensor, "batch tokens"]) -> "Tokens":
        """Only the tokens in ``keep``, in order, packed to the front; width is the largest number kept."""
        keep = keep & self.valid
        width = int(keep.sum(1).max())
        order = torch.argsort(~keep, dim=1, stable=True)[:, :width]
        pick = order[..., None]
        return Tokens(
            self.values.gather(1, pick.expand(-1, -1, self.values.shape[2])),
            self.coords.gather(1, pick.expand(-1, -1, self.coords.shape[2])),
            keep.gather(1, order),
        )


@dataclass(frozen=True)
class Targets:
    """What a reconstruction must produce for every token.

    Attributes:
        values: ``(batch, tokens, dim)`` for continuous targets, ``(batch, tokens)`` int64 for categories.
        kind: how prediction and target are compared.
        size: width of the prediction: ``dim``, or the number of classes.
    """

    values: Tensor
    kind: Literal["continuous", "categorical"]
    size: int


class Encoder(nn.Module):
    """Turns a view into one vector a sample.

    ``encoder(x)`` is ``(batch, dim)``; ``encoder.dim`` its width; ``encoder.config`` the keyword arguments
    that build it again (all of JSON's types), so that a saved encoder loads without the training code.
    """

    dim: int
    depth: int  #: number of layers that ``tokens(layers=...)`` can name, besides 0
    config: dict[str, Any]
    #: whether masked tokens can be dropped before the network (and so cost nothing)
    can_drop: bool = False

    def forward(self, x: Payload) -> Float[Tensor, "batch dim"]:
        raise NotImplementedError

    def layout(self, x: Payload) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        """``(coords, valid)`` of the tokens of ``x``, to draw masks from; the network is not run."""
        raise NotImplementedError

    def tokens(
        self,
        x: Payload,
        mask: Bool[Tensor, "batch tokens"] | None = None,
        masked: Literal["drop", "replace"] = "drop",
        layers: list[int] | None = None,
    ) -> Tokens | list[Tokens]:
        """Token vectors after the last layer, or after each of ``layers`` (0 is the input embedding).

        Args:
            mask: True where a token is hidden from the network.
            masked: ``drop`` computes only the visible tokens; ``replace`` puts a learned vector there.
            layers: which layers' outputs, before any final normalisation; then a list of Tokens is returned.
        """
        raise NotImplementedError

    @property
    def target_size(self) -> int:
        """``size`` of its targets."""
        raise InputError(f"{self.config['name']} has no targets to rebuild; try --encoder transformer-nano")

    def targets(self, x: Payload) -> Targets:
        """What a reconstruction must produce for every token of ``layout``."""
        raise NotImplementedError

    def check_layers(self, layers: list[int]) -> None:
        """Raises InputError when a layer does not exist."""
        wrong = [i for i in layers if not 0 <= i <= self.depth]
        if wrong:
            raise InputError(f"no layer {wrong[0]} in this encoder; layers go from 0 (input) to {self.depth}")


def layer_outputs(encoder: Encoder, x: Payload) -> dict[int, Tokens]:
    """Tokens after every layer, by its number; 0, the input embedding, only where the encoder gives it."""
    layers = list(range(encoder.depth + 1))
    try:
        outputs = encoder.tokens(x, layers=layers)
    except InputError:
        layers = layers[1:]
        outputs = encoder.tokens(x, layers=layers)
    assert isinstance(outputs, list)
    return dict(zip(layers, outputs))


class Tokenizer(nn.Module):
    """Cuts a payload into tokens: ``embed`` for the network, ``targets`` for a reconstruction.

    Subclasses with a ``modality`` register by being defined in ``encoders/tokenizers/``.
    """

    modality: ClassVar[str]
    #: share of the tokens worth hiding when they are to be rebuilt: much of what is redundant, little of text
    mask_ratio: ClassVar[float] = 0.5
    dim: int
    axes: int  #: number of coordinates a token has
    target_size: int  #: ``size`` of its targets
    target_kind: Literal["continuous", "categorical"] = "continuous"  #: ``kind`` of its targets
    grid: tuple[int, ...]  #: extent of the coordinates along each axis, for learned positions

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "Tokenizer":
        """The tokenizer for samples that ``input`` describes; see ``Modality.input``.

        Raises:
            InputError: when ``patch`` is given and cannot be, or the modality has no choice of it.
        """
        raise NotImplementedError

    def layout(self, x: Payload) -> tuple[Float[Tensor, "batch tokens axes"], Bool[Tensor, "batch tokens"]]:
        """``(coords, valid)`` of the tokens of ``x``, without embedding them."""
        raise NotImplementedError

    def embed(self, x: Payload) -> Tokens:
        raise NotImplementedError

    def targets(self, x: Payload) -> Targets:
        raise NotImplementedError


def unused(*parameters: Tensor) -> Tensor:
    """A zero that depends on ``parameters``; added to an output it gives them a zero gradient.

    DistributedDataParallel waits for a gradient of every parameter; a mask vector has none in a plain pass.
    """
    return 0.0 * torch.stack([p.sum() for p in parameters]).sum()


def shared_out(x: Tensor) -> bool:
    """Whether each process holds only its part of ``x`` (FSDP)."""
    return hasattr(x, "to_local")


def own(x: Tensor) -> Tensor:
    """What this process holds of a tensor that is shared out, in the same memory; any other as it is."""
    return x.to_local() if hasattr(x, "to_local") else x
