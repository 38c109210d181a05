"""What two processes compute, each with half a batch, and one with the whole; run under gloo by the battery."""

import os
import sys

import torch
import torch.distributed as dist
from cells import build, double, fixed_masks, representatives, uncoupled

from anyview.data.batch import Batch
from anyview.objectives.contrastive import nt_xent
from anyview.objectives.instances import instance_barlow
from anyview.objectives.pairs import pair_nce, pair_sigmoid
from anyview.objectives.reconstruction import masked_reconstruction
from anyview.objectives.regression import cosine_regression, masked_smooth_l1
from anyview.objectives.variance import barlow_twins, vicreg
from anyview.training.gather import gather
from anyview.training.step import as_terms, cached_step, plain_step

#: objective -> whether it compares samples, so that the loop gathers
OBJECTIVES = {
    "nt_xent": (lambda z: nt_xent(z, temperature=0.5), True),
    "vicreg": (vicreg, True),
    "barlow_twins": (barlow_twins, True),
    "instance_barlow": (lambda z: instance_barlow(z, z.flip(0)), True),
    "pair_nce": (lambda z: pair_nce(z, torch.tensor(5.0), 0.1), True),
    "pair_sigmoid": (lambda z: pair_sigmoid(z, torch.tensor(5.0), torch.tensor(-3.0)), True),
    "cosine_regression": (lambda z: cosine_regression(z, z.flip(2).detach()), False),
    "masked_smooth_l1": (
        lambda z: masked_smooth_l1(z[0, :, None], z[1, :, None], torch.ones(len(z[0]), 1, dtype=torch.bool)),
        False,
    ),
    "masked_reconstruction": (
        lambda z: masked_reconstruction(
            z[0, :, None], z[1, :, None], torch.ones(len(z[0]), 1, dtype=torch.bool)
        ),
        False,
    ),
}


def cases() -> list[str]:
    return [f"objective {name}" for name in OBJECTIVES] + [
        f"method {system} {kind} {how}" for system, kind in representatives() for how in ("plain", "cached")
    ]


def compute(case: str, rank: int, world: int) -> dict[str, torch.Tensor]:
    """Loss and gradients of this rank's part of the batch, as DDP would average them."""
    kind, name, *rest = case.split()
    if kind == "objective":
        z = torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        weight = torch.eye(5, dtype=torch.float64).requires_grad_()
        part = z[:, rank * 8 // world : (rank + 1) * 8 // world] @ weight
        objective, couples = OBJECTIVES[name]
        loss = sum(as_terms(objective(gather(part) if couples else part)).values())
        loss.backward()
        return _averaged({"loss": loss.detach(), "weight": weight.grad}, world)
    method, dataset = build(name, rest[0])
    uncoupled(method).double()
    for module in list(sys.modules.values()):
        for mask in ("random_mask", "block_mask"):
            if getattr(module, "__name__", "").startswith("anyview.methods") and hasattr(module, mask):
                setattr(module, mask, fixed_masks)
    torch.manual_seed(5)
    views = [_double(v) for v in method.make_views(dataset.train.fetch(torch.arange(8)))]
    part = [v[torch.arange(rank * 8 // world, (rank + 1) * 8 // world)] for v in views]
    step = plain_step if rest[1] == "plain" else lambda *a: cached_step(*a, chunk=3)
    terms = step(method, part, lambda loss: loss.backward())
    found = {n: p.grad for n, p in method.named_parameters() if p.grad is not None}
    return _averaged({"loss": sum(terms.values()), **found}, world)


def _double(batch: Batch) -> Batch:
    return batch.with_x(double(batch.x))


def _averaged(values: dict[str, torch.Tensor], world: int) -> dict[str, torch.Tensor]:
    if world > 1:
        for value in values.values():
            dist.all_reduce(value)
            value /= world
    return values


if __name__ == "__main__":
    folder, rank, world = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    if world > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": sys.argv[4]}
        dist.init_process_group("gloo", rank=rank, world_size=world)
    results = {case: compute(case, rank, world) for case in cases()}
    if rank == 0:
        torch.save(results, f"{folder}/{world}.pt")
    if world > 1:
        dist.destroy_process_group()
