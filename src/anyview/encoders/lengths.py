"""Samples of different length through a network in groups, so that little of the work is padding."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

#: a group of so many tokens is cheap already; cutting it would cost more than its padding
SMALL = 2048


def length_groups(valid: Bool[Tensor, "batch tokens"]) -> list[tuple[Tensor, int]]:
    """Samples in groups of similar length: ``(places in the batch, longest)`` each, shortest first.

    A batch is halved (in order of length) as long as that spares a tenth of what is computed.
    """
    length = (valid * torch.arange(1, valid.shape[1] + 1, device=valid.device)).amax(1)
    order = length.argsort(stable=True)
    lengths = length[order].tolist()

    def cut(first: int, last: int) -> list[tuple[int, int]]:
        size, longest, middle = last - first, lengths[last - 1], (first + last) // 2
        if size < 2 or size * longest <= SMALL:
            return [(first, last)]
        spared = (middle - first) * (longest - lengths[middle - 1])
        return (
            [*cut(first, middle), *cut(middle, last)] if spared >= 0.1 * size * longest else [(first, last)]
        )

    return [(order[a:b], max(1, lengths[b - 1])) for a, b in cut(0, len(lengths))] if lengths else []


def by_length(
    network: Callable[[Tensor, Bool[Tensor, "batch tokens"]], Tensor],
    values: Shaped[Tensor, "batch tokens ..."],
    valid: Bool[Tensor, "batch tokens"],
) -> Float[Tensor, "batch tokens newdim"]:
    """``network(values, valid)``, computed in groups of similar length; zero at padding it did not see.

    The network must treat every sample alone.
    """
    if bool(valid.all()):
        return network(values, valid)
    groups = length_groups(valid)
    if len(groups) < 2 and (not groups or groups[0][1] == valid.shape[1]):
        return network(values, valid)
    parts = [network(values[rows, :longest], valid[rows, :longest]) for rows, longest in groups]
    tokens = values.shape[1]
    padded = [torch.nn.functional.pad(part, (0, 0, 0, tokens - part.shape[1])) for part in parts]
    return torch.cat(padded)[torch.cat([rows for rows, _ in groups]).argsort()]
