"""Weights in files: safetensors only, written in one piece or not at all, checked before they are used."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from anyview.errors import InputError
from anyview.files import write_atomic


def write_weights(module: nn.Module, path: Path) -> None:
    """Parameters and buffers of ``module`` as one safetensors file.

    Tensors are copied to plain layout first: the format knows no channels-last, nor two names for one tensor.
    """
    state = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in module.state_dict().items()
    }
    write_atomic(path, lambda part: part.write_bytes(save(state)))


def read_weights(module: nn.Module, path: Path, ignore_extra: bool = False) -> None:
    """Fills ``module`` from a safetensors file; names and shapes are checked before anything is read.

    Args:
        ignore_extra: let the file hold tensors that ``module`` does not have (a classifier's head).

    Raises:
        InputError: when the file is missing, broken, or does not fit; names the first tensor that does not.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; name a folder or file that holds a saved encoder")
    own = module.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            for name, tensor in own.items():
                if name not in names:
                    raise InputError(f"{path} does not fit this encoder: it has no tensor {name}")
                shape = tuple(file.get_slice(name).get_shape())
                if shape != tuple(tensor.shape):
                    raise InputError(
                        f"{path} does not fit this encoder: {name} is {shape}, not {tuple(tensor.shape)}"
                    )
            extra = sorted(names - set(own))
            if extra and not ignore_extra:
                raise InputError(
                    f"{path} does not fit this encoder: it holds {extra[0]}, which this one has not"
                )
            module.load_state_dict({name: file.get_tensor(name) for name in own})
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read as safetensors ({error}); is the file whole?") from error


def fingerprint(module: nn.Module) -> str:
    """The first half of the SHA-256 of all its weights: two networks that differ in one have two."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
