"""Packages whose files are found by themselves: a file that is put there takes part."""

import functools
import importlib
import pkgutil
from types import ModuleType


@functools.cache
def modules(package: str) -> tuple[ModuleType, ...]:
    """All modules directly in a package, imported, in order of name; those that begin with ``_`` left out.

    Looked for once.
    """
    path = importlib.import_module(package).__path__
    names = sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"{package}.{name}") for name in names)
