"""Embeddings of all processes, with gradient. The only place that knows processes exist, with the loop."""

import gc
import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.contiguous()
        dist.all_reduce(grad)  # every process holds the whole loss: what it owes to my part is summed here
        return grad[dist.get_rank()]


def launched(devices: int = 1) -> tuple[int, int]:
    """``(rank, processes)`` as the launcher says before processes have met: torchrun, SLURM through it, or
    Lightning starting ``devices`` copies of this command."""
    rank = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))
    return rank, int(os.environ.get("WORLD_SIZE", devices))


def take_own_device() -> None:
    """Lets ``cuda`` mean the accelerator that the launcher gave to this process; nothing where it gave none."""
    local = os.environ.get("LOCAL_RANK")
    if local is not None and torch.cuda.is_available():
        torch.cuda.set_device(int(local) % torch.cuda.device_count())


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def leave() -> None:
    """Ends the meeting of processes, where there is one. Python must be alive for it: a thread of gloo that still
    holds a tensor when the interpreter goes aborts the process, after everything was saved."""
    if not dist.is_available():
        return
    if dist.is_initialized():
        dist.destroy_process_group()
    _forget_meshes()


def _forget_meshes() -> None:
    """Lets go of what DTensor keeps of the runs that shared out their weights: its caches hold their meshes, these
    their groups, and those their threads, until Python is gone. Which caches there are depends on torch."""
    from torch.distributed.tensor import _collective_utils, _redistribute, debug

    topology = getattr(_collective_utils, "MeshTopoInfo", None)
    for cache in (
        getattr(debug, "_clear_sharding_prop_cache", None),
        getattr(_redistribute, "clear_redistribute_planner_cache", None),
        getattr(getattr(_redistribute, "_gen_transform_infos", None), "cache_clear", None),
        getattr(getattr(topology, "build_from_mesh", None), "cache_clear", None),
    ):
        if cache is not None:
            cache()
    gc.collect()


def gather(x: Tensor) -> Tensor:
    """Concatenates ``(views, batch, ...)`` of all processes along the batch, in order of rank.

    The gradient of a process's own part is the sum over processes of the gradients of their (equal) losses;
    averaging the parameters' gradients over processes, as DDP does, then gives the gradient of one process
    with the whole batch.
    """
    if world_size() == 1:
        return x
    parts = _AllGather.apply(x)  # (world, views, batch, ...)
    return parts.movedim(0, 1).flatten(1, 2)


@torch.no_grad()
def norm_over_processes(norm: Tensor) -> Tensor:
    """Norms of tensors that processes share out, from the norms of each process's parts."""
    squares = norm.square()
    dist.all_reduce(squares)
    return squares.sqrt()


@torch.no_grad()
def pool(module: nn.Module) -> None:
    """Adds up over all processes what the parts of a module counted in this step: the buffers that they name in
    ``pooled`` (running means of targets, whose update then is the same everywhere)."""
    if world_size() == 1:
        return
    for part in module.modules():
        for name in getattr(part, "pooled", ()):
            dist.all_reduce(getattr(part, name))
