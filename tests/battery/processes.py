"""What two processes compute together, each with half a batch, and what one does with the whole; run by the battery."""

import os
import sys

import torch
import torch.distributed as dist
from cells import build, double, fixed_blocks, fixed_masks, fixed_noise, meetings, uncoupled

from anyview.data.batch import Batch
from anyview.encoders import stochastic
from anyview.objectives.alignment import soft_uniformity
from anyview.objectives.bins import duet
from anyview.objectives.coding_rate import emp_ssl
from anyview.objectives.contrastive import dcl, nt_xent
from anyview.objectives.debiased import debiased_nce
from anyview.objectives.distillation import distillation, masked_distillation
from anyview.objectives.duality import dual
from anyview.objectives.entropy import er_codes, er_sphere, i_vne
from anyview.objectives.equivariance import rotation_equivariance, sie
from anyview.objectives.indices import index_cross_entropy
from anyview.objectives.instances import instance_barlow
from anyview.objectives.noise import nce
from anyview.objectives.pairs import pair_nce, pair_sigmoid
from anyview.objectives.parts import part_nce
from anyview.objectives.prototypes import labelled, msn
from anyview.objectives.queries import in_batch_info_nce, info_nce
from anyview.objectives.reconstruction import masked_reconstruction
from anyview.objectives.regression import cosine_regression, masked_smooth_l1, negative_cosine
from anyview.objectives.sigreg import lejepa, random_directions
from anyview.objectives.supervised import supcon
from anyview.objectives.transport import sinkhorn
from anyview.objectives.variance import barlow_twins, vicreg
from anyview.objectives.whitening import w_mse
from anyview.targets.centre import Centre
from anyview.training.gather import gather, pool
from anyview.training.step import as_terms, cached_step, plain_step

#: objective -> whether it compares samples, so that the loop gathers
OBJECTIVES = {
    "nt_xent": (lambda z: nt_xent(z, temperature=0.5), True),
    "dcl": (lambda z: dcl(z, 0.5, sigma=0.5), True),
    "debiased_nce": (lambda z: debiased_nce(z, 0.5, 0.2), True),
    "info_nce": (lambda z: info_nce(z[:1], z[1:], torch.eye(5, dtype=z.dtype)), True),
    "nce": (lambda z: nce(z[0], z[1], torch.eye(5, dtype=z.dtype), torch.arange(z.shape[1]) % 6 - 1), True),
    "part_nce": (lambda z: part_nce(z[0], torch.stack([z[1], z[0]], 1), 2.0)[0], True),
    "index_cross_entropy": (
        lambda z: index_cross_entropy(
            z, torch.eye(5, dtype=z.dtype), torch.zeros(z.shape[1], dtype=torch.int64)
        ),
        False,
    ),
    "in_batch_info_nce": (lambda z: in_batch_info_nce(z, z.flip(0)), True),
    "supcon": (lambda z: supcon(z, torch.arange(z.shape[1]) % 3), True),
    "supcon_inside": (lambda z: supcon(z, torch.arange(z.shape[1]) % 3, inside=True), True),
    "vicreg": (vicreg, True),
    "barlow_twins": (barlow_twins, True),
    "instance_barlow": (lambda z: instance_barlow(z, z.flip(0)), True),
    "pair_nce": (lambda z: pair_nce(z, torch.tensor(5.0), 0.1), True),
    "pair_sigmoid": (lambda z: pair_sigmoid(z, torch.tensor(5.0), torch.tensor(-3.0)), True),
    "soft_uniformity": (soft_uniformity, True),
    "w_mse": (w_mse, True),
    "emp_ssl": (emp_ssl, True),
    "lejepa": (lambda z: lejepa(z, random_directions(z.shape[2], 16, 0)), True),
    "i_vne": (i_vne, True),
    "er_sphere": (lambda z: er_sphere(z, z, z), True),
    "er_sphere_joe": (lambda z: er_sphere(z, z.detach(), z, 10.0, "joe"), True),
    "swav": (lambda z: distillation(z, sinkhorn(z.detach(), 0.5)), True),
    "msn": (lambda z: msn(z, z[0], 0.5, iterations=3), True),
    "er_codes": (lambda z: er_codes(z, z), True),
    "rotation_equivariance": (lambda z: rotation_equivariance(z, torch.arange(z.shape[1]) // 4), True),
    "sie": (lambda z: sie(z[..., :3], z[..., 3:], z[0, :, :2]), True),
    "duet": (lambda z: duet(z, z, torch.linspace(0, 1, z.shape[1]).expand(2, -1)), True),
    "dual_vicreg_exp": (lambda z: dual(z, "dimensions", "exp"), True),
    "dual_vicreg_ctr": (lambda z: dual(z, "samples", "exp"), True),
    "dual_simclr_sq": (lambda z: dual(z, "samples", "exp_square", "cosine", 0.5), True),
    "labelled": (lambda z: labelled(z, torch.ones(z.shape[:2], dtype=torch.int64)), False),
    "distillation": (lambda z: distillation(z, z[:1].flip(2).softmax(-1)), False),
    "masked_distillation": (
        lambda z: masked_distillation(
            z[0, :, None], z[1, :, None].softmax(-1), torch.ones(len(z[0]), 1, dtype=torch.bool)
        ),
        False,
    ),
    "negative_cosine": (lambda z: negative_cosine(z, z), False),
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

#: what is drawn for each sample in a forward pass -> what stands in its place here
FIXED = {
    "random_mask": fixed_masks,
    "block_mask": fixed_masks,
    "some_blocks": fixed_masks,
    "multi_block": fixed_blocks,
    "one_per_window": lambda coords, window: torch.arange(0, coords.shape[1], window).expand(len(coords), -1),
}


def cases() -> list[str]:
    return (
        ["target centre"]
        + [f"objective {name}" for name in OBJECTIVES]
        + [f"method {system} {kind} {how}" for system, kind in meetings() for how in ("plain", "cached")]
    )


def compute(case: str, rank: int, world: int) -> dict[str, torch.Tensor]:
    """Loss and gradients of this rank's part of the batch, as DDP would average them."""
    kind, name, *rest = case.split()
    if kind == "target":
        rows = torch.randn(8, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        centre = Centre(5).double()
        centre.note(rows[rank * 5 : rank * 5 + 5] if world > 1 else rows)  # of five and of three
        pool(centre)
        centre.update()
        return _averaged({"value": centre.value}, world)
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
    for module in [m for name, m in sys.modules.items() if name.startswith("anyview.methods")]:
        for drawn in FIXED:
            if hasattr(module, drawn):
                setattr(module, drawn, FIXED[drawn])
    stochastic.normal_noise = fixed_noise
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
        flat = torch.cat([value.flatten() for value in values.values()])
        dist.all_reduce(flat)
        parts = (flat / world).split([value.numel() for value in values.values()])
        values = {name: part.view_as(values[name]) for name, part in zip(values, parts)}
    return values


if __name__ == "__main__":
    folder, rank, world, port = sys.argv[1], *map(int, sys.argv[2:])
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=world)
    together = {case: compute(case, rank, world) for case in cases()}
    dist.destroy_process_group()
    # as one process would, each its share
    alone = {case: compute(case, 0, 1) for case in cases()[rank::world]}
    torch.save((together, alone), f"{folder}/{rank}.pt")
