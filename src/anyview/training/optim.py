"""Optimisers: which weights decay, LARS, and the rate at each moment of the schedule."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from anyview.encoders.base import own, shared_out
from anyview.training.gather import norm_over_processes
from anyview.training.options import OptimizerOptions

LR = {"adamw": 2e-3, "sgd": 0.06, "lars": 0.3}
DECAY = {"adamw": 0.05, "sgd": 1e-4, "lars": 1e-6}


def with_defaults(options: OptimizerOptions) -> OptimizerOptions:
    """Rate and decay filled in where none was given."""
    return replace(
        options,
        lr=LR[options.name] if options.lr is None else options.lr,
        weight_decay=DECAY[options.name] if options.weight_decay is None else options.weight_decay,
    )


def peak_lr(options: OptimizerOptions, batch_size: int) -> float:
    """Peak rate for this batch: square-root scaling for adamw, linear for sgd and lars."""
    scale = batch_size / 256
    lr = LR[options.name] if options.lr is None else options.lr
    return lr * (math.sqrt(scale) if options.name == "adamw" else scale)


def decays(parameter: Tensor) -> bool:
    """Whether weights of this kind decay, and adapt under LARS: all but vectors and scalars."""
    return parameter.ndim > 1


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """Weights that decay, and those that do not: norms, biases, and every other vector or scalar. Where processes share
    some out, these stand in groups of their own, since an optimiser's kernels take either kind."""
    trained = [p for p in module.parameters() if p.requires_grad]
    kinds = sorted({shared_out(p) for p in trained}) or [False]
    return [
        {
            "params": [p for p in trained if decays(p) == matrices and shared_out(p) == shared],
            "weight_decay": weight_decay if matrices else 0.0,
            "adapt": matrices,
        }
        for matrices in (True, False)
        for shared in kinds
    ]


def by_share(groups: list[dict], share: Callable[[Tensor], float]) -> list[dict]:
    """The groups, each cut into those whose parameters train at the same ``share`` of the rate."""
    return [
        {**group, "params": [p for p in group["params"] if share(p) == found], "share": found}
        for group in groups
        for found in sorted({share(p) for p in group["params"]})
    ]


def build_optimizer(
    module: nn.Module,
    options: OptimizerOptions,
    batch_size: int,
    share: Callable[[Tensor], float] | None = None,
) -> torch.optim.Optimizer:
    """The optimiser that the options name, with its peak rate kept as ``group["peak"]``.

    Args:
        share: of the rate, for each parameter; all train at the same when None.
    """
    options = with_defaults(options)
    assert options.weight_decay is not None
    groups = parameter_groups(module, options.weight_decay)
    groups = groups if share is None else by_share(groups, share)
    lr = peak_lr(options, batch_size)
    optimizer: torch.optim.Optimizer
    shared = any(shared_out(p) for p in module.parameters())  # torch has no fused SGD for these
    if options.name == "adamw":
        optimizer = torch.optim.AdamW(groups, lr=lr, fused=True)
    elif options.name == "sgd":
        optimizer = torch.optim.SGD(groups, lr=lr, momentum=options.momentum, nesterov=True, fused=not shared)
    else:
        optimizer = LARS(groups, lr=lr, momentum=options.momentum)
    for group in optimizer.param_groups:
        group["peak"] = lr * group.get("share", 1.0)
    return optimizer


def lr_factor(progress: float, warmup: float) -> float:
    """Linear warm-up over the first ``warmup`` of the schedule, then half a cosine to zero."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / max(1e-12, 1 - warmup))))


class LARS(torch.optim.Optimizer):
    """Layer-wise adaptive rate scaling for SGD with momentum (You et al., 2017, arXiv:1708.03888).

    The variant of published joint-embedding code: the trust ratio is ``trust * |w| / |g + decay * w|`` and the
    rate stands outside the momentum (algorithm 1 divides by ``|g| + decay * |w|`` and has it inside). Matrices
    adapt; groups with ``adapt`` false (norms, biases)
    take a plain step, as every published recipe of joint embedding does.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 1e-3,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "adapt": True,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            buffers = [own(self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))) for p in params]
            shared = shared_out(params[0])
            updates, params = [own(p.grad) for p in params], [own(p) for p in params]
            if group["weight_decay"]:
                updates = list(torch._foreach_add(updates, params, alpha=group["weight_decay"]))
            if group["adapt"]:
                weights = torch.stack(torch._foreach_norm(params))
                gradients = torch.stack(torch._foreach_norm(updates))
                if shared:
                    weights, gradients = norm_over_processes(torch.stack([weights, gradients]))
                ratio = torch.where(
                    (weights > 0) & (gradients > 0),
                    group["trust"] * weights / gradients,
                    torch.ones_like(weights),
                )
                updates = list(torch._foreach_mul(updates, list(ratio.unbind())))
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, updates)
            torch._foreach_add_(params, buffers, alpha=-group["lr"])
        return loss
