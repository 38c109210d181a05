"""lightly's SimCLR, DINO and MAE as its documentation describes them, in plain PyTorch."""

import copy
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from lightly.loss import DINOLoss, NTXentLoss
from lightly.models import utils
from lightly.models.modules import MAEDecoderTIMM, MaskedVisionTransformerTIMM
from lightly.models.modules.heads import DINOProjectionHead, SimCLRProjectionHead
from lightly.transforms import DINOTransform, MAETransform, SimCLRTransform
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.settings import BATCH, DINO, MAE, VIT


class Pictures(Dataset[tuple[list[Tensor], int]]):
    """Pixels in memory and a Pillow image made of them when asked, as torchvision's CIFAR10 does."""

    def __init__(self, images: Path, transform: Callable[[Image.Image], list[Tensor]]) -> None:
        self.pixels = np.ascontiguousarray(np.load(images, mmap_mode="r").transpose(0, 2, 3, 1))
        self.transform = transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[list[Tensor], int]:
        return self.transform(Image.fromarray(self.pixels[index])), 0


@dataclass
class Example:
    """One of lightly's examples: how views are made, and what is done with those of a batch."""

    transform: Callable[[Image.Image], list[Tensor]]
    optimizer: torch.optim.Optimizer
    loss: Callable[[list[Tensor]], Tensor]
    before_step: Callable[[], object] = lambda: None  #: between backward and the optimiser


def simclr() -> Example:
    """torchvision's ResNet-18 with a 3x3 stem of stride 1 and no pooling, and lightly's head."""
    resnet = torchvision.models.resnet18()
    resnet.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
    resnet.maxpool = nn.Identity()
    resnet.fc = nn.Identity()
    network, criterion = nn.Sequential(resnet, SimCLRProjectionHead(512, 512, 128)), NTXentLoss()
    return Example(
        SimCLRTransform(input_size=32, gaussian_blur=0.0),
        torch.optim.SGD(network.parameters(), lr=6e-2),
        lambda views: criterion(network(views[0]), network(views[1])),
    )


def vit() -> Any:
    """timm's ViT of the size that is compared."""
    return timm.create_model(
        "vit_tiny_patch16_224",
        img_size=32,
        patch_size=VIT["patch"],
        depth=VIT["depth"],
        num_classes=0,
        dynamic_img_size=True,
    )


def dino() -> Example:
    """The student sees every crop by itself, the teacher the large ones."""

    def head() -> DINOProjectionHead:
        return DINOProjectionHead(
            VIT["dim"], DINO["hidden_dim"], DINO["bottleneck_dim"], DINO["out_dim"], freeze_last_layer=1
        )

    student, student_head = vit(), head()
    teacher, teacher_head = copy.deepcopy(student), head()
    for network in (teacher, teacher_head):
        utils.deactivate_requires_grad(network)
    criterion = DINOLoss(output_dim=DINO["out_dim"], warmup_teacher_temp_epochs=5)

    def loss(views: list[Tensor]) -> Tensor:
        utils.update_momentum(student, teacher, m=0.996)
        utils.update_momentum(student_head, teacher_head, m=0.996)
        wanted = [teacher_head(teacher(view)) for view in views[:2]]
        return criterion(wanted, [student_head(student(view)) for view in views], epoch=0)

    return Example(
        DINOTransform(
            global_crop_size=32,
            local_crop_size=16,
            n_local_views=DINO["local_count"],
            gaussian_blur=(0.0, 0.0, 0.0),
            solarization_prob=0.0,
        ),
        torch.optim.Adam([*student.parameters(), *student_head.parameters()], lr=1e-3),
        loss,
        lambda: student_head.cancel_last_layer_gradients(current_epoch=0),
    )


def mae() -> Example:
    """The encoder sees the tokens that are kept, the decoder all."""
    backbone = MaskedVisionTransformerTIMM(vit=vit())
    length, patch = backbone.sequence_length, VIT["patch"]
    decoder = MAEDecoderTIMM(
        num_patches=length - 1,
        patch_size=patch,
        embed_dim=VIT["dim"],
        decoder_embed_dim=MAE["decoder_dim"],
        decoder_depth=MAE["decoder_depth"],
        decoder_num_heads=MAE["decoder_heads"],
    )
    criterion = nn.MSELoss()

    def loss(views: list[Tensor]) -> Tensor:
        images = views[0]
        size = (len(images), length)
        keep, mask = utils.random_token_mask(size=size, mask_ratio=MAE["mask_ratio"], device=images.device)
        visible = decoder.embed(backbone.encode(images=images, idx_keep=keep))
        tokens = utils.repeat_token(decoder.mask_token, size)
        tokens = utils.set_at_index(tokens, keep, visible.type_as(tokens))
        predicted = decoder.predict(utils.get_at_index(decoder.decode(tokens), mask))
        return criterion(predicted, utils.get_at_index(utils.patchify(images, patch), mask - 1))

    parameters = [*backbone.parameters(), *decoder.parameters()]
    return Example(MAETransform(input_size=32), torch.optim.AdamW(parameters, lr=1.5e-4), loss)


EXAMPLES = {"simclr": simclr, "dino": dino, "mae": mae}


def training(
    images: Path, steps: int, warmup: int, precision: str, workers: int, method: str = "simclr"
) -> dict[str, Any]:
    """Times ``steps`` steps after ``warmup``; ``precision`` is fp32, its default, or bf16 by autocast."""
    torch.manual_seed(0)
    example, batch = EXAMPLES[method](), BATCH[method]
    dataset = Pictures(images, example.transform)
    loader = DataLoader(dataset, batch, shuffle=True, drop_last=True, num_workers=workers)
    marks: list[tuple[float, float]] = []
    for views, _ in loader:
        with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
            loss = example.loss(views)
        loss.backward()
        example.before_step()
        example.optimizer.step()
        example.optimizer.zero_grad()
        marks.append((time.perf_counter(), time.process_time()))
        if len(marks) == warmup + steps:
            break
    (start, cpu), (end, cpu_end) = marks[warmup - 1], marks[-1]
    return {
        "precision": precision,
        "workers": workers,
        "batch": batch,
        "steps": steps,
        "seconds": end - start,
        "cpu_seconds": cpu_end - cpu,  # of this process, without its workers
    }
