"""Where samples come from: ``open`` anything, ``Batch`` and ``Ragged``, ``Loader``."""

from anyview.data.batch import Batch, Ragged
from anyview.data.loader import Loader, batches
from anyview.data.open import open
from anyview.data.source import Dataset, MemorySource, Skipped, Source, StreamSource

__all__ = [
    "Batch",
    "Dataset",
    "Loader",
    "MemorySource",
    "Ragged",
    "Skipped",
    "Source",
    "StreamSource",
    "batches",
    "open",
]
