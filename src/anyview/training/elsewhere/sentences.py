"""Models of sentence-transformers, embedded by that library itself (the extra ``anyview[sentence-transformers]``)."""

import json
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from anyview.encoders.transformers_adapter import unspoken
from anyview.errors import InputError
from anyview.training.elsewhere.base import Asked, Origin
from anyview.training.elsewhere.calls import of_function
from anyview.training.model import Model

PARTS = "modules.json"


class Sentences(nn.Module):
    """A model of the library as a network: texts -> ``(texts, dim)``, as its own ``encode`` gives them."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, texts: list[str]) -> Tensor:
        return self.model.encode(texts, batch_size=64, show_progress_bar=False, convert_to_tensor=True)


def folder_of(name: str) -> Path:
    """The folder of that name, or the one that an installed package brings; nothing of the package is run.

    Raises:
        InputError: when there is neither.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    try:
        files = metadata.files(name) or []
    except (metadata.PackageNotFoundError, ValueError):
        files = []
    found = [Path(str(file.locate())) for file in files if file.name == PARTS]
    if not found:
        raise InputError(f"no folder {name}, and no installed package of that name with a model ({PARTS})")
    return found[0].parent


def checked(folder: Path) -> Path:
    """Lets a folder pass whose parts are the library's own and whose weights are no pickles.

    Raises:
        InputError: for any other.
    """
    try:
        parts = json.loads((folder / PARTS).read_text(encoding="utf-8"))
        kinds = [str(part["type"]) for part in parts]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is no model of sentence-transformers ({PARTS}: {error})") from error
    strange = next((kind for kind in kinds if not kind.startswith("sentence_transformers.")), None)
    if strange is not None:
        raise InputError(f"{folder} needs code that came with it ({strange}), and such code is never run")
    pickles = (file for file in sorted(folder.rglob("*.bin")) if not list(file.parent.glob("*.safetensors")))
    if (pickled := next(pickles, None)) is not None:
        raise InputError(f"{pickled} is a pickle, which is never loaded; save the model as safetensors")
    return folder


def load(asked: Asked) -> Model:
    """``st:FOLDER``, or the name of an installed package that brings a model.

    Raises:
        InputError: when there is none, it needs code of its own, or the library is not installed or cannot read it.
    """
    folder = checked(folder_of(asked.name.partition(":")[2]))
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise InputError(
            f'{asked.name} needs its library; install it with: pip install "anyview[sentence-transformers]"'
        ) from None
    read: Callable[..., Any] = partial(SentenceTransformer, local_files_only=True, trust_remote_code=False)
    try:
        with unspoken():
            model = read(str(folder), device="cpu", model_kwargs={"use_safetensors": True})
    except Exception as error:  # another library's code
        raise InputError(f"{folder} cannot be read by sentence-transformers: {_line(error)}") from error
    return of_function(asked, Sentences(model.float()).eval())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


ORIGIN = Origin(("st:",), load)
