"""Weights shared out among processes (FSDP; Zhao et al., 2023, arXiv:2304.11277), for networks too large to hold whole.

Only repeated blocks are shared out, which hold nearly all weights of a large network and are always called as modules.
Each process keeps its share of their weights, gradients and optimiser state, and sees a block whole only while it
computes with it. All else (stems, norms, heads) is whole in every process, and its gradients are averaged here.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from anyview.methods.base import Method
from anyview.training.checkpoint import read
from anyview.training.gather import norm_over_processes
from anyview.training.optim import decays

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
#: what is called otherwise than as a module, or keeps its weights in one piece
NEVER = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.RNNBase)


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules that stand in a list with others of their kind and have weights, in order."""
    for child in network.children():
        members = list(child) if isinstance(child, nn.ModuleList | nn.Sequential) else []
        alike = len({type(m) for m in members}) == 1 and not isinstance(members[0], NEVER)
        if len(members) > 1 and alike:
            yield from (m for m in members if any(True for _ in m.parameters()))
        else:
            yield from blocks(child)


def shard(method: Method, mesh: Any) -> None:
    """Shares the blocks of a method's networks out among the processes of ``mesh``, in place."""
    for block in blocks(method):
        block.to(memory_format=torch.contiguous_format)  # no other can be cut
        fully_shard(block, mesh=mesh, reshard_after_forward=True)


@torch.no_grad()
def average(method: nn.Module) -> None:
    """Gradients of what every process holds whole become the mean over processes; those of blocks are already.

    A weight that a process did not use counts as zero there, and stays without gradient where none used it.
    """
    whole = [p for p in method.parameters() if p.requires_grad and not isinstance(p, DTensor)]
    if not whole:
        return
    used = torch.tensor([float(p.grad is not None) for p in whole], device=whole[0].device)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in whole]
    together = torch.cat([used, *(g.flatten() for g in gradients)])  # one message
    dist.all_reduce(together)
    together /= dist.get_world_size()
    used, *means = together.split([len(whole), *(p.numel() for p in whole)])
    for p, share, mean in zip(whole, used.tolist(), means):
        p.grad = mean.view_as(p) if share else None


def gradient_norm(gradients: Iterable[Tensor]) -> Tensor:
    """Euclidean norm over all gradients, those that are shared out counted in all processes."""
    gradients = list(gradients)
    shared = [g.to_local() for g in gradients if isinstance(g, DTensor)]
    norm = torch.nn.utils.get_total_norm([g for g in gradients if not isinstance(g, DTensor)])
    return torch.hypot(norm, norm_over_processes(torch.nn.utils.get_total_norm(shared))) if shared else norm


class Sharded(ModelParallelStrategy):
    """Lightning's FSDP with checkpoints as one process writes them: whole, in one file, read by any number."""

    def __init__(self, processes: int) -> None:
        super().__init__(
            data_parallel_size=processes, tensor_parallel_size=1, save_distributed_checkpoint=False
        )

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """Whole on the first process, empty on the others; weights are numbered as one process numbers them."""
        optimizer = getattr(optimizer, "optimizer", optimizer)
        found: dict[str, Any] = dict(get_optimizer_state_dict(self._module, optimizer, options=WHOLE))
        if not found:
            return found
        decaying, others = self._groups()
        places = {name: i for i, name in enumerate(decaying + others)}
        merged = [
            {
                **next(g for g in found["param_groups"] if g["adapt"] == matrices),
                "params": [*map(places.get, names)],
            }
            for matrices, names in ((True, decaying), (False, others))
        ]
        return {"state": {places[n]: values for n, values in found["state"].items()}, "param_groups": merged}

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Each process reads the file and takes its share."""
        found = read(Path(checkpoint_path))
        whole = StateDictOptions(full_state_dict=True)
        set_model_state_dict(self._module, found["state_dict"], options=whole)
        for optimizer, kept in zip(self.optimizers, found["optimizer_states"]):
            set_optimizer_state_dict(self._module, optimizer, self._named(optimizer, kept), options=whole)
        return found

    @property
    def _module(self) -> nn.Module:
        assert self.model is not None
        return self.model

    def _groups(self) -> tuple[list[str], list[str]]:
        """Names of trained weights in the groups of one process: those that decay, and the others."""
        trained = [(n, p) for n, p in self._module.named_parameters() if p.requires_grad]
        return [n for n, p in trained if decays(p)], [n for n, p in trained if not decays(p)]

    def _named(self, optimizer: torch.optim.Optimizer, kept: Mapping[str, Any]) -> dict[str, Any]:
        """An optimiser's state as one process wrote it, by names and in this optimiser's groups."""
        decaying, others = self._groups()
        names = decaying + others
        named = {id(p): n for n, p in self._module.named_parameters()}
        groups = [
            {
                **{k: v for k, v in group.items() if k != "params"},
                "params": [named[id(p)] for p in group["params"]],
            }
            for group in optimizer.param_groups
        ]
        return {"state": {names[i]: values for i, values in kept["state"].items()}, "param_groups": groups}


class Gathered(pl.Callback):
    """Puts the weights of a run that shared them out into ``whole``, on the first process, when training ends."""

    def __init__(self, whole: Method) -> None:
        self.whole = whole

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        state = get_model_state_dict(module.method, options=WHOLE)
        if trainer.is_global_zero:
            self.whole.load_state_dict(state)
