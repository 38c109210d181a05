"""One step of any method: networks, gather, loss, gradients; plain or through the gradient cache."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from anyview.data.batch import Batch
from anyview.encoders.batch_norm import uncounted
from anyview.methods.base import Method
from anyview.training.gather import gather

Terms = dict[str, Tensor]


def seed_step(seed: int, step: int, rank: int = 0) -> None:
    """Seeds torch's generator from the step's number, so that views, masks and dropout of a step depend on
    nothing that came before it. That is what makes resuming exact.

    Where no GPU is used, only the CPU's generator: ``torch.manual_seed`` would note a traceback in every step, for a
    GPU that may come."""
    on_gpu = torch.cuda.is_initialized() or torch.backends.mps.is_available()
    sow = torch.manual_seed if on_gpu else torch.default_generator.manual_seed
    sow((seed * 1_000_003 + step) * 8191 + rank)


def as_terms(loss: Tensor | Terms) -> Terms:
    """A loss by name; one that has no parts is called ``loss``."""
    return loss if isinstance(loss, dict) else {"loss": loss}


def compare(method: Method, embeddings: dict[str, Tensor]) -> Terms:
    """Gathers what must be compared across processes, then asks the method."""
    if method.couples_samples:
        embeddings = {name: gather(value) for name, value in embeddings.items()}
    return as_terms(method.loss(**embeddings))


def plain_step(method: Method, views: list[Batch], backward: Callable[[Tensor], None]) -> Terms:
    """Forward, loss and gradients on the whole batch. Returns the detached terms of the loss."""
    terms = compare(method, method(views))
    backward(torch.stack(list(terms.values())).sum())
    return {name: value.detach() for name, value in terms.items()}


def cached_step(
    method: Method,
    views: list[Batch],
    backward: Callable[[Tensor], None],
    chunk: int,
    no_sync: Callable[[], AbstractContextManager] = nullcontext,
) -> Terms:
    """The same gradients with the networks run on ``chunk`` samples at a time (Gao et al., 2021).

    Coupled methods: embeddings are made without graph, compared as a whole, and made again chunk by chunk to
    carry the gradient of the loss into the weights; dropout and masks are replayed from the saved generator
    state. Other methods: a mean over samples is a weighted mean over chunks. ``no_sync`` holds back the
    averaging over processes until the last chunk.
    """
    size = len(views[0])
    parts = list(zip(*(view.split(chunk) for view in views)))
    if not method.couples_samples:
        total: Terms = {}
        for i, part in enumerate(parts):
            with no_sync() if i < len(parts) - 1 else nullcontext():
                weight = len(part[0]) / size
                terms = {k: v * weight for k, v in as_terms(method.loss(**method(list(part)))).items()}
                backward(torch.stack(list(terms.values())).sum())
            total = {k: total.get(k, 0) + v.detach() for k, v in terms.items()}
        return total

    states, chunks = [], []
    with torch.no_grad(), uncounted(method):  # the first of two passes must not count a batch twice
        for part in parts:
            states.append(_generator_state(views[0].index.device))
            chunks.append(method(list(part)))
    whole = {k: torch.cat([c[k] for c in chunks], dim=1).detach() for k in chunks[0]}
    del chunks
    leaves = {k: v.requires_grad_() for k, v in whole.items() if v.is_floating_point()}  # the rest is classes
    terms = compare(method, whole)
    total_loss = torch.stack(list(terms.values())).sum()
    grads = dict(zip(leaves, torch.autograd.grad(total_loss, list(leaves.values()), allow_unused=True)))
    for i, (part, state) in enumerate(zip(parts, states)):
        _set_generator_state(views[0].index.device, state)
        with no_sync() if i < len(parts) - 1 else nullcontext():
            embeddings = method(list(part))
            window = slice(i * chunk, i * chunk + len(part[0]))
            surrogate = [
                (value * grads[k][:, window]).sum()
                for k, value in embeddings.items()
                if grads.get(k) is not None and value.requires_grad
            ]
            backward(torch.stack(surrogate).sum())
    return {name: value.detach() for name, value in terms.items()}


def _generator_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_generator_state(device: torch.device, state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
