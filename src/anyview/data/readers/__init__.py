"""One file a modality: how its samples are recognised and read. A file put here is found by itself."""

import importlib
import pkgutil

from anyview.data.readers.base import Reader


def readers() -> dict[str, Reader]:
    """All readers by modality."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    found = [kind() for kind in Reader.__subclasses__()]
    return {reader.modality: reader for reader in sorted(found, key=lambda r: r.modality)}


__all__ = ["Reader", "readers"]
