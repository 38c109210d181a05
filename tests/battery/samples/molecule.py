"""Molecules small enough that a step takes milliseconds."""

import pyarrow as pa

from anyview.data import open as open_data
from anyview.data.source import Dataset


def samples(n: int = 24) -> Dataset:
    """Alcohols and amines on chains and rings of several lengths."""
    bodies = (
        ["C" * k for k in range(1, 7)]
        + ["C" * k + "c1ccccc1" for k in range(1, 4)]
        + ["CC(=O)", "CC(C)", "ClC"]
    )
    smiles = [body + end for body in bodies for end in ("O", "N")][:n]
    smiles = [s if not s.endswith(("c1ccccc1O", "c1ccccc1N")) else s[-1] + s[:-1] for s in smiles]
    return open_data(pa.table({"smiles": smiles, "label": [i % 2 for i in range(len(smiles))]}))
