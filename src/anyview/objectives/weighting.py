"""Weights of several losses, learned with them."""

import torch
from jaxtyping import Float
from torch import Tensor


def uncertainty_weighted(terms: dict[str, Tensor], log_scale: Float[Tensor, "terms"]) -> dict[str, Tensor]:
    r"""Losses weighed by what each is learned to be uncertain of (Kendall et al. 2018, arXiv:1705.07115, eq. 7).

    With ``s_i = exp(log_scale_i)``, in the order of ``terms``,

        L_i / (2 s_i^2) + log s_i

    A constant loss has its least at ``s_i^2 = L_i``: the larger a loss, the smaller its weight.
    """
    scales = torch.unbind(log_scale)
    return {
        name: 0.5 * (-2 * s).exp() * term + s for (name, term), s in zip(terms.items(), scales, strict=True)
    }
