"""Packages whose files are found by themselves: a file that is put there takes part."""

import importlib
import pkgutil
from types import ModuleType


def modules(package: str) -> list[ModuleType]:
    """All modules directly in a package, imported, in order of name; those that begin with ``_`` left out."""
    path = importlib.import_module(package).__path__
    names = sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))
    return [importlib.import_module(f"{package}.{name}") for name in names]
