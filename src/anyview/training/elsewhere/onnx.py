"""ONNX files, run by onnxruntime (the extra ``anyview[onnx]``) on the processor. A graph of operators is no code."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anyview.errors import InputError
from anyview.training.elsewhere.base import Asked, Origin
from anyview.training.elsewhere.calls import of_file
from anyview.training.model import Model

#: what exports of text models call their inputs
MASKS, TYPES = ("attention_mask", "mask"), "token_type_ids"


class Session:
    """A graph as a function of tensors.

    Raises:
        InputError: when onnxruntime is not installed, or the file is no graph that it can run.
    """

    def __init__(self, path: str) -> None:
        if not Path(path).is_file():
            raise InputError(f"there is no file {path}")
        try:
            import onnxruntime
        except ImportError:
            raise InputError(
                f'{path} needs onnxruntime; install it with: pip install "anyview[onnx]"'
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what is wrong is said here
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library raises its own kinds
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path} cannot be read as an ONNX graph ({reason})") from error

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        names = [one.name for one in self.session.get_inputs()]
        known = {} if mask is None else dict.fromkeys(MASKS, mask) | {TYPES: torch.zeros_like(x)}
        given: dict[str, Any] = {name: known[name].cpu().numpy() for name in names if name in known}
        rest = [name for name in names if name not in known]
        given |= {name: x.cpu().numpy() for name in rest[:1]}
        found = self.session.run(None, given)
        return {one.name: torch.from_numpy(y) for one, y in zip(self.session.get_outputs(), found)}


def load(asked: Asked) -> Model:
    return of_file(asked, Session(asked.name))


ORIGIN = Origin((".onnx",), load, ("size", "normalise"))
