"""lightly's SimCLR for CIFAR-10 as its documentation describes it, in plain PyTorch."""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from lightly.loss import NTXentLoss
from lightly.models.modules.heads import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

BATCH = 128


class Pictures(Dataset[tuple[list[Tensor], int]]):
    """Pixels in memory and a Pillow image made of them when asked, as torchvision's CIFAR10 does."""

    def __init__(self, images: Path, transform: SimCLRTransform) -> None:
        self.pixels = np.ascontiguousarray(np.load(images, mmap_mode="r").transpose(0, 2, 3, 1))
        self.transform = transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[list[Tensor], int]:
        return self.transform(Image.fromarray(self.pixels[index])), 0


class Network(nn.Module):
    """torchvision's ResNet-18 with a 3x3 stem of stride 1 and no pooling, and lightly's head."""

    def __init__(self) -> None:
        super().__init__()
        resnet = torchvision.models.resnet18()
        resnet.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        resnet.maxpool = nn.Identity()
        resnet.fc = nn.Identity()
        self.backbone = resnet
        self.head = SimCLRProjectionHead(512, 512, 128)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


def training(images: Path, steps: int, warmup: int, precision: str, workers: int) -> dict[str, Any]:
    """Times ``steps`` steps after ``warmup``; ``precision`` is fp32, its default, or bf16 by autocast."""
    torch.manual_seed(0)
    dataset = Pictures(images, SimCLRTransform(input_size=32, gaussian_blur=0.0))
    loader = DataLoader(dataset, BATCH, shuffle=True, drop_last=True, num_workers=workers)
    network, criterion = Network(), NTXentLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=6e-2)
    marks: list[tuple[float, float]] = []
    for (x0, x1), _ in loader:
        with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
            loss = criterion(network(x0), network(x1))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        marks.append((time.perf_counter(), time.process_time()))
        if len(marks) == warmup + steps:
            break
    (start, cpu), (end, cpu_end) = marks[warmup - 1], marks[-1]
    return {
        "precision": precision,
        "workers": workers,
        "batch": BATCH,
        "steps": steps,
        "seconds": end - start,
        "cpu_seconds": cpu_end - cpu,  # of this process, without its workers
    }
