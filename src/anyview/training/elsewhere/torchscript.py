"""TorchScript files. They hold a program in TorchScript's own language, which is read before it is let run.

Loading one runs no pickle of Python: its objects may be of TorchScript's own classes only. But its program runs, some
of it while it loads (``__setstate__``), and operators of torch can read and write files. A program that names one of
them, or operators that are not torch's, is refused.
"""

import re
import warnings
import zipfile
import zlib
from pathlib import Path

import torch
from torch import nn

from anyview.errors import InputError
from anyview.training.elsewhere.base import Asked, Origin
from anyview.training.elsewhere.calls import of_file
from anyview.training.model import Model

#: operators that reach beyond the program: files, and libraries' own operators
REACHES = re.compile(
    r"\b(?:torch|aten)\s*\.\s*(from_file|save|load)\s*\(|\bops\s*\.\s*(?!prim\b|aten\b|quantized\b)(\w+)"
)

SPARE = 2**26  #: bytes of program and tables that a file may hold beyond what compresses like weights


def checked(path: Path) -> None:
    """Lets a file pass that holds a TorchScript program which only computes.

    Raises:
        InputError: for anything else, a pickle of Python among it.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()  # all of them: two may have one name
            if sum(e.file_size for e in entries) > SPARE + 4 * path.stat().st_size:
                raise InputError(
                    f"{path} would unpack to many times its size, which is not read; save the network again "
                    "by torch.jit.save"
                )
            programs = [archive.read(e).decode() for e in entries if e.filename.lower().endswith(".py")]
    except (zipfile.BadZipFile, OSError, zlib.error, UnicodeDecodeError, NotImplementedError, RuntimeError):
        programs = []
    if not programs:
        raise InputError(
            f"{path} holds no TorchScript program; a pickle made by torch.save can run code and is never loaded. Save "
            "the network by torch.jit.save, or its weights as safetensors"
        )
    for program in programs:
        if found := REACHES.search(program):
            raise InputError(
                f"{path} is a program that uses {found[1] or found[2]}, which can reach beyond it; it is not run"
            )


def read(path: str) -> nn.Module:
    """The network in a file, on the processor.

    Raises:
        InputError: when it is none, or would do more than compute.
    """
    checked(Path(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch would rather have others made
            return torch.jit.load(path, map_location="cpu").eval()
    except Exception as error:  # of a damaged or foreign program, all kinds
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be loaded as TorchScript ({reason})") from error


def load(asked: Asked) -> Model:
    return of_file(asked, read(asked.name))


ORIGIN = Origin((".pt", ".pth", ".ts", ".torchscript"), load, ("size", "normalise"))
