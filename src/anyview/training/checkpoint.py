"""Checkpoints: written so that damage is known, read so that a stranger's file can do nothing."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from anyview.errors import InputError
from anyview.files import put
from anyview.training.optim import build_optimizer
from anyview.training.plan import Plan

LAST, PREVIOUS = "last.ckpt", "previous.ckpt"
#: what Lightning and ``Pretraining`` put into one; any other entry is a stranger's
ENTRIES = {
    "epoch",
    "global_step",
    "pytorch-lightning_version",
    "state_dict",
    "loops",
    "callbacks",
    "optimizer_states",
    "lr_schedulers",
    "anyview",
}


class PlainFile(TorchCheckpointIO):
    """Writes where it is told and nowhere else; Lightning's own goes through the system's temporary folder."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        whole = io.BytesIO()  # torch hides why writing failed
        torch.save(checkpoint, whole)
        Path(path).write_bytes(whole.getbuffer())


def keep(temporary: Path, folder: Path) -> None:
    """Makes a fully written checkpoint the last one, and the last one the previous."""
    last = folder / LAST
    if last.exists():
        put(last, folder / PREVIOUS)
    put(temporary, last)


def read(path: Path) -> dict[str, Any]:
    """A checkpoint, nothing of which was run: tensors, numbers and words only.

    Raises:
        InputError: when it is damaged (each tensor has a checksum in the file), or is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} is damaged")
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if set(found) != ENTRIES:
            raise ValueError(f"its entries are {', '.join(sorted(map(str, found)))}")
        if not isinstance(found["global_step"], int) or found["global_step"] < 0:
            raise ValueError("no step")
    except Exception as error:  # a broken file can make its readers raise anything
        why = str(error).partition("\n")[0][:160]
        raise InputError(f"{path} cannot be read as a checkpoint ({why})") from error
    return found


def last_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint that is whole, or None."""
    for name in (LAST, PREVIOUS):
        path = run / "checkpoints" / name
        try:
            read(path)
            return path
        except InputError:  # torn by a full disk or a dying machine: the one before it is whole
            continue
    return None


def checkpoint_to_resume(plan: Plan, run: Path) -> tuple[Path | None, int]:
    """The checkpoint to go on from, and its step; None and 0 when the run ended before its first one.

    Raises:
        InputError: when there are checkpoints and none can be read, or they are of another method or network.
    """
    checkpoint = last_checkpoint(run)
    if checkpoint is None:
        there = [p for name in (LAST, PREVIOUS) if (p := run / "checkpoints" / name).exists()]
        if there:
            raise InputError(f"{there[0]} cannot be read, nor one before it; start anew with another --out")
        return None, 0
    found = read(checkpoint)
    try:
        strange = _strange(plan, found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        strange = f"{error} is not as it should be"
    if strange:
        raise InputError(
            f"{checkpoint} is not of this run's {plan.name} ({strange}): config.yaml says another method or network"
        )
    return checkpoint, found["global_step"]


def _strange(plan: Plan, found: Mapping[str, Any]) -> str | None:
    """What of a checkpoint does not fit the method and its optimiser, None when all does."""
    own = {f"method.{name}": value for name, value in plan.method.state_dict().items()}
    held = found["state_dict"]
    for name in sorted(own.keys() ^ held.keys()):
        return f"{name} is in one of the two only"
    for name, value in own.items():
        if (value.shape, value.dtype) != (held[name].shape, held[name].dtype):
            return f"{name} is {tuple(held[name].shape)} {held[name].dtype}"
    optimizer = build_optimizer(plan.method, plan.optimizer, plan.batch_size)
    (state,) = found["optimizer_states"]
    groups = optimizer.state_dict()["param_groups"]
    if [g["params"] for g in groups] != [g["params"] for g in state["param_groups"]] or any(
        a.keys() ^ b.keys() for a, b in zip(groups, state["param_groups"])
    ):
        return "its optimiser has other groups"
    shapes = [p.shape for group in optimizer.param_groups for p in group["params"]]
    for place, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.ndim and value.shape != shapes[place]:
                return f"{name} of its optimiser is {tuple(value.shape)}"
    float(found["anyview"]["elapsed"])
    return None
