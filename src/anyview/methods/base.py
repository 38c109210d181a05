"""What every pretraining system is: networks in ``forward``, comparison in ``loss``, a few hooks."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anyview.data.batch import Batch, Payload, payload_cat, payload_len, payload_shape
from anyview.encoders.base import Encoder
from anyview.views.base import Views


class Method(nn.Module):
    """A pretraining system as a plain module, usable in anyone's loop::

        views = method.views(batch)
        loss = method.loss(**method(views))

    ``forward`` runs networks and returns named embeddings; ``loss`` compares them and is pure in its tensors.
    That split lets one loop gather across processes, chunk by the gradient cache, and watch health for all.

    A method with ``couples_samples`` compares samples with each other; each of its embeddings is
    ``(views, batch, ...)`` and the loop gathers them along the batch. Any other method's loss is a mean over
    samples of a loss that one sample has alone, and its embeddings may have any shape.
    """

    needs: ClassVar[str]  #: what the modality must supply: "two_views", "multi_crop", "tokens", ...
    couples_samples: ClassVar[bool]
    #: need by which the modality chooses the encoder when the user names none, where it is not ``needs``: "tokens"
    #: for a network of tokens under views of another kind
    encoder_for: ClassVar[str | None] = None
    #: view options this system's paper sets; a modality ignores those it does not have
    view_defaults: ClassVar[dict[str, Any]] = {}

    #: encoder options this system's paper sets; an encoder that has no such option ignores them
    encoder_defaults: ClassVar[dict[str, Any]] = {}
    #: whether it trains on labels; the loop takes them out of every other method's batches
    uses_labels: ClassVar[bool] = False

    #: what usually is wrong when this system collapses; said with the warning
    collapse_hint: ClassVar[str] = ""

    #: (named embeddings) -> the loss, or named terms whose sum it is; each system has its own arguments
    loss: Callable[..., Tensor | dict[str, Tensor]]

    #: share of the schedule that is done, 0 to 1; the loop sets it before each step
    progress: float = 0.0

    def __init__(self, encoder: Encoder, views: Views) -> None:
        super().__init__()
        self.encoder = encoder
        self.views = views

    def make_views(self, batch: Batch) -> list[Batch]:
        """The views of a batch, without labels unless the method is one that learns from them."""
        return self.views(batch if self.uses_labels else batch.without_label())

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    @property
    def lr_progress(self) -> float:
        """Share of the learning rate's schedule that is done, for a system that goes through it more than once."""
        return self.progress

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        """Defaults that depend on the data (momentum, queue length, prototypes), for options not given."""
        return {}

    def prepare(self, views: list[Batch]) -> None:
        """Runs once before training, on the views of a few hundred samples, the same in every process: for
        what must be fitted to the data, such as random targets to choose among."""

    def after_step(self) -> None:
        """Runs after the optimiser's step: teacher update, queue push, running means. What a part of the method
        counted in the step, in buffers that it names in ``pooled``, the loop has added up over processes."""

    def before_epoch(self, embed: Callable[..., Tensor]) -> None:
        """Runs before each pass over the data. ``embed()`` gives the embeddings of all samples in order, whole and in
        eval mode, float32 on the CPU and the same in every process; ``embed(network)`` those of another encoder."""

    def pictures(self, views: list[Batch]) -> dict[str, Payload]:
        """Further inputs worth seeing in the report, by title: what was hidden, what was rebuilt."""
        return {}

    def encode(
        self, views: list[Batch], network: Callable[[Payload], Tensor] | None = None
    ) -> Float[Tensor, "views batch dim"]:
        """One vector a view and sample; views of one shape go through the network in a single pass."""
        return encode_views([view.x for view in views], network or self.encoder)


def encode_views(xs: list[Payload], network: Callable[[Payload], Tensor]) -> Float[Tensor, "views batch dim"]:
    """Runs ``network`` on all views, those of one shape together, and stacks the results in order."""
    groups: dict[Any, list[int]] = {}
    for i, x in enumerate(xs):
        groups.setdefault(payload_shape(x), []).append(i)
    out: list[Tensor] = [torch.empty(0)] * len(xs)
    for members in groups.values():
        y = network(payload_cat([xs[i] for i in members]) if len(members) > 1 else xs[members[0]])
        for i, part in zip(members, y.split(payload_len(xs[members[0]]))):
            out[i] = part
    return torch.stack(out)
