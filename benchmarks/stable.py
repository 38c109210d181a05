"""stable-pretraining's SimCLR, DINO and MAE as its README and its own benchmarks build them, without their probes."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MethodType
from typing import Any

import lightning
import stable_pretraining as spt
from stable_pretraining import forward
from stable_pretraining.data import transforms
from stable_pretraining.methods import mae as its_mae
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.peer import Pictures, vit
from benchmarks.settings import BATCH, DINO, MAE, VIT

CIFAR10 = spt.data.static.CIFAR10


def view(size: int, scale: tuple[float, float], solarize: float = 0.0) -> Any:
    """One random view of an image, for a dictionary that holds it as ``image``."""
    steps = [
        transforms.RGB(),
        transforms.RandomResizedCrop((size, size), scale=scale),
        transforms.RandomHorizontalFlip(p=0.5),
        transforms.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, p=0.8),
        transforms.RandomGrayscale(p=0.2),
        *([transforms.RandomSolarize(threshold=0.5, p=solarize)] if solarize else []),
        transforms.ToImage(**CIFAR10),
    ]
    return transforms.Compose(*steps)


def simclr() -> tuple[Any, Any, list[Any]]:
    """The README's example, with the projector of its first example, which is of the size that is compared."""
    backbone = spt.backbone.from_torchvision("resnet18", low_resolution=True)
    backbone.fc = nn.Identity()
    module = spt.Module(
        backbone=backbone,
        projector=spt.backbone.MLP(512, [512, 128], norm_layer="batch_norm"),
        forward=forward.simclr,
        simclr_loss=spt.losses.NTXEntLoss(temperature=0.5),
        optim={"optimizer": {"type": "LARS", "lr": 5, "weight_decay": 1e-6}},
    )
    views = [view(32, (0.2, 1.0)), view(32, (0.08, 1.0), solarize=0.2)]
    return module, transforms.MultiViewTransform(views), []


def dino() -> tuple[Any, Any, list[Any]]:
    """Its benchmark of a ViT-tiny; the student sees the crops of a size in one pass."""
    network = spt.backbone.vit_hf(size="tiny", patch_size=VIT["patch"], image_size=32)
    head = nn.Sequential(
        nn.Linear(VIT["dim"], DINO["hidden_dim"]),
        nn.GELU(),
        nn.Linear(DINO["hidden_dim"], DINO["hidden_dim"]),
        nn.GELU(),
        nn.Linear(DINO["hidden_dim"], DINO["bottleneck_dim"]),
        spt.backbone.L2Norm(),
        nn.Linear(DINO["bottleneck_dim"], DINO["out_dim"], bias=False),
    )
    module = spt.Module(
        backbone=spt.TeacherStudentWrapper(network, warm_init=True, base_ema_coefficient=0.996),
        projector=spt.TeacherStudentWrapper(head, warm_init=True, base_ema_coefficient=0.996),
        forward=forward.dino,
        dino_loss=spt.losses.DINOv1Loss(temperature_student=0.1, center_momentum=0.9),
        warmup_temperature_teacher=0.04,
        temperature_teacher=0.07,
        warmup_epochs_temperature_teacher=50,
        optim={"optimizer": {"type": "AdamW", "lr": 0.005, "weight_decay": 1e-4}},
    )
    views = {f"global_{i + 1}": view(32, (0.4, 1.0)) for i in range(2)}
    views |= {f"local_{i + 1}": view(16, (0.05, 0.4)) for i in range(DINO["local_count"])}
    return module, transforms.MultiViewTransform(views), [spt.callbacks.TeacherStudentCallback()]


def mae() -> tuple[Any, Any, list[Any]]:
    """Its benchmark, without the second pass over whole images that only its probes need."""
    module = its_mae.MAE(
        model_or_model_name=vit(),
        decoder_embed_dim=MAE["decoder_dim"],
        decoder_depth=MAE["decoder_depth"],
        decoder_num_heads=MAE["decoder_heads"],
        mask_ratio=MAE["mask_ratio"],
    )

    def state(self: Any, batch: Mapping[str, Any], stage: str) -> dict[str, Any]:
        return {"loss": its_mae.MAE.forward(self, batch["image"]).loss}

    module.forward = MethodType(state, module)
    module.optim = {"optimizer": {"type": "AdamW", "lr": 5e-4, "weight_decay": 0.05, "betas": (0.9, 0.95)}}
    transform = transforms.Compose(
        transforms.RGB(),
        transforms.RandomResizedCrop((32, 32), scale=(0.2, 1.0)),
        transforms.RandomHorizontalFlip(p=0.5),
        transforms.ToImage(**CIFAR10),
    )
    return module, transform, []


EXAMPLES: dict[str, Callable[[], tuple[Any, Any, list[Any]]]] = {"simclr": simclr, "dino": dino, "mae": mae}


class Marks(lightning.Callback):
    """When each step ended."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.times.append((time.perf_counter(), time.process_time()))


def training(
    images: Path, steps: int, warmup: int, precision: str, workers: int, method: str = "simclr"
) -> dict[str, Any]:
    """Times ``steps`` steps after ``warmup`` of Lightning's loop; ``precision`` is fp32, the trainer's default, or
    bf16, the README's."""
    lightning.seed_everything(0)
    module, transform, callbacks = EXAMPLES[method]()
    pictures = spt.data.FromTorchDataset(
        Pictures(images, lambda image: image), names=["image", "label"], transform=transform
    )
    loader = DataLoader(pictures, BATCH[method], shuffle=True, drop_last=True, num_workers=workers)
    marks = Marks()
    spt.set(verbose="ERROR", cache_dir=str(images.parent))
    trainer = lightning.Trainer(
        accelerator="cpu",
        default_root_dir=images.parent,
        max_steps=warmup + steps,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        callbacks=[*callbacks, marks],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, spt.data.DataModule(train=loader))
    (start, cpu), (end, cpu_end) = marks.times[warmup - 1], marks.times[-1]
    return {
        "precision": precision,
        "workers": workers,
        "batch": BATCH[method],
        "steps": len(marks.times) - warmup,
        "seconds": end - start,
        "cpu_seconds": cpu_end - cpu,  # of this process, without its workers
    }
