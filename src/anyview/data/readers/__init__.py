"""One file a modality: how its samples are recognised and read. A file put here is found by itself."""

from anyview.data.readers.base import Reader
from anyview.plugins import modules


def readers() -> dict[str, Reader]:
    """All readers by modality."""
    modules(__name__)
    found = [kind() for kind in Reader.__subclasses__()]
    return {reader.modality: reader for reader in sorted(found, key=lambda r: r.modality)}


__all__ = ["Reader", "readers"]
