"""anyview pretrains encoders on unlabelled data of any modality, and shows that it worked.

>>> import anyview as av
>>> model = av.pretrain("simclr", "photos/", minutes=10)  # doctest: +SKIP
>>> vectors = model.embed("photos/")  # doctest: +SKIP

Public names load what they need when they are first used, so importing this costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from anyview._version import __version__

if TYPE_CHECKING:
    from anyview.api import compare, embed, evaluate, explore, health, load, pretrain, resume, suite
    from anyview.data import open
    from anyview.errors import InputError, RunError
    from anyview.register import systems
    from anyview.training.model import Model

__all__ = [
    "InputError",
    "Model",
    "RunError",
    "__version__",
    "compare",
    "embed",
    "evaluate",
    "explore",
    "health",
    "load",
    "open",
    "pretrain",
    "resume",
    "suite",
    "systems",
]

_HOMES = {
    "pretrain": "anyview.api",
    "resume": "anyview.api",
    "load": "anyview.api",
    "embed": "anyview.api",
    "evaluate": "anyview.api",
    "explore": "anyview.api",
    "health": "anyview.api",
    "compare": "anyview.api",
    "suite": "anyview.api",
    "open": "anyview.data",
    "systems": "anyview.register",
    "Model": "anyview.training.model",
    "InputError": "anyview.errors",
    "RunError": "anyview.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anyview' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
