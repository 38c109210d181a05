"""What two processes train together, with weights whole in each and shared out; run by the tests of sharding."""

import atexit
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from sklearn.datasets import load_digits

from anyview.encoders.base import own
from anyview.training.plan import make_plan
from anyview.training.run import train
from anyview.training.sharding import average

#: name -> method, encoder, options
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "teacher, AdamW, clipped": ("dino", "vit-nano", {"out_dim": 64, "optimizer.clip": 0.5, "cache_chunk": 8}),
    "convolutions, LARS": ("byol", "resnet18", {"optimizer.name": "lars", "warmup": 0.0}),
    "labels for all samples, SGD": ("deepcluster-v2", "vit-nano", {"optimizer.name": "sgd", "clusters": 5}),
}
ONCE = ("convolutions, LARS",)  #: a single step: batch norms magnify the rounding of its norms after it


class Held(pl.Callback):
    """Counts what this process holds of the encoder's weights."""

    share = 1.0

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        weights = list(module.method.encoder.parameters())
        self.share = sum(own(p).numel() for p in weights) / sum(p.numel() for p in weights)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    # what is registered first runs last
    atexit.register(
        lambda: (folder / f"left {rank}").write_text(f"{dist.is_initialized()} {threads_of_groups()}")
    )
    pixels = (load_digits().images[:96] * 15).astype(np.uint8)
    rank, shares = int(os.environ["RANK"]), {}

    def run(name: str, shard: bool, resume: bool = False) -> None:
        method, encoder, options = CASES[name]
        length = {"batch_size": 96, "epochs": 1} if name in ONCE else {"batch_size": 32, "epochs": 2}
        common = {**length, "precision": "fp32", "checkpoint_steps": 4}
        given = options | common | {"shard": shard, "device": "cpu", "health": False}
        plan = make_plan(method, pixels, encoder=encoder, options=given, seed=3)
        place, held = folder / f"{name}, {'shared' if shard else 'whole'}", Held()
        if rank == 0 and not resume:
            place.mkdir()
        if resume and rank == 0:  # as after a power cut: the step that was saved before the last
            shutil.copytree(place, folder / "resumed")
            (folder / "resumed/checkpoints/previous.ckpt").rename(folder / "resumed/checkpoints/last.ckpt")
        if dist.is_initialized():
            dist.barrier()
        train(plan, folder / "resumed" if resume else place, resume=resume, beside=[held])
        shares[place.name] = held.share

    for name in CASES:
        run(name, False)
        run(name, True)
    run("teacher, AdamW, clipped", True, resume=True)
    torch.save({"shares": shares, "means": means(rank)}, folder / f"{rank}.pt")


def threads_of_groups() -> int:
    """How many threads of gloo run in this process, where the system tells (Linux)."""
    return sum("gloo" in name.read_text() for name in Path("/proc/self/task").glob("*/comm"))


def means(rank: int) -> list[torch.Tensor | None]:
    """Gradients after averaging: of a weight that both processes used, only the second did, neither."""
    network = torch.nn.ParameterList(torch.nn.Parameter(torch.ones(2, 3)) for _ in range(3))
    used = network[0].sum() * (rank + 1) + (network[1].sum() if rank else 0.0)
    used.backward()
    average(network)
    return [p.grad for p in network]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
