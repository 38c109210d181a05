"""A few samples of every modality, small enough that a step takes milliseconds."""

import torch

from anyview.data import open as open_data
from anyview.data.source import Dataset
from anyview.methods.base import Method
from anyview.modalities import modality
from anyview.training.plan import method_class, views_factory


def images(n: int = 24, channels: int = 3, side: int = 16) -> Dataset:
    """Coloured blobs: each sample has a place and a colour of its own, two classes by colour."""
    g = torch.Generator().manual_seed(3)
    place = torch.rand(n, 2, 1, 1, generator=g) * side
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    blob = torch.exp(-((x - place[:, 0]) ** 2 + (y - place[:, 1]) ** 2) / (side / 2))
    label = torch.arange(n) % 2
    colour = torch.rand(n, channels, 1, 1, generator=g) * 0.5 + 0.5 * label.view(-1, 1, 1, 1)
    noise = 0.1 * torch.rand(n, channels, side, side, generator=g)
    pixels = ((blob[:, None] * colour + noise).clamp(0, 1) * 255).to(torch.uint8)
    return open_data((pixels, label))


SAMPLES = {"image": images}


def build(system: str, kind: str, seed: int = 0, **options) -> tuple[Method, Dataset]:
    """A method on the small samples of a modality, with the encoder that the modality would choose."""
    dataset, cls, m = SAMPLES[kind](), method_class(system), modality(kind)
    views = views_factory(cls, m)(dataset.spec)
    torch.manual_seed(seed)
    encoder = m.encoder(m.default_encoder(dataset.spec, len(dataset.train), cls.needs), dataset.spec)
    return cls(encoder, views, **options), dataset


def uncoupled(module: torch.nn.Module) -> torch.nn.Module:
    """Batch norms replaced by norms over each sample alone: batch statistics are the known exception to
    'two processes equal one' and 'cached equals plain'."""
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm1d):
            setattr(module, name, torch.nn.LayerNorm(child.num_features))
        elif isinstance(child, torch.nn.BatchNorm2d):
            setattr(module, name, torch.nn.GroupNorm(1, child.num_features))
        else:
            uncoupled(child)
    return module


def fixed_masks(coords: torch.Tensor, valid: torch.Tensor, ratio: float) -> torch.Tensor:
    """In place of random masks: the same tokens of every sample, whichever process it is in."""
    order = (torch.arange(coords.shape[1]) * 7 + 3) % coords.shape[1]
    return (order < round(ratio * coords.shape[1])).expand(len(coords), -1) & valid
