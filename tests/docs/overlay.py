"""Puts files of ``folder/anyview`` beside those of the package, as if they had been added to it.

Run as a script it then uses them, in a process of its own: a reader that is defined once is found by every later
``open``, and other tests must not meet it.
"""

import importlib
import sys
from pathlib import Path

import pytest


def install(folder: Path) -> None:
    """Extends the path of every package that has a file under ``folder/anyview``."""
    for place in sorted({path.parent for path in (folder / "anyview").rglob("*.py")}):
        name = ".".join(place.relative_to(folder).parts)
        importlib.import_module(name).__path__.append(str(place))


def battery(system: str) -> int:
    """The battery's tests of one method."""
    here = Path(__file__).parents[1] / "battery" / "test_methods.py"
    return int(pytest.main([str(here), "-k", system, "-p", "no:cacheprovider", "-o", "addopts=-q"]))


def spectra(system: str) -> None:
    """Pretrains a method on spectra, and judges it: reader, views, modality, encoder, saving and loading."""
    import numpy as np

    import anyview as av
    from anyview import modalities

    modalities.NAMES = tuple(sorted({*modalities.NAMES, "spectrum"}))  # it had looked for its files already
    rng = np.random.default_rng(0)
    label = np.arange(120) % 2
    x = np.sin(np.linspace(0, 6 + 6 * label, 32)).T + 0.1 * rng.standard_normal((120, 32))
    opened = av.open((x, label))
    assert opened.modality == "spectrum"
    assert opened.spec["shape"] == [1, 1, 32]
    model = av.pretrain(system, (x, label), epochs=1, out=Path(sys.argv[1]) / "run", quiet=True)
    vectors = av.load(Path(sys.argv[1]) / "run").embed((x, label))
    assert vectors.shape == (120, model.dim)
    assert np.isfinite(vectors).all()
    assert np.ptp(vectors, axis=0).max() > 0
    results = av.evaluate(model, (x, label), protocols=["knn"])
    assert set(results[0].figures) == {"pretrained", "untrained", "raw"}
    with pytest.raises(av.InputError, match="spectrum"):  # it has no tokens to hide
        av.pretrain("mae", (x, label))


if __name__ == "__main__":
    install(Path(sys.argv[1]))
    failed = battery("simsiam")
    spectra("byol")
    sys.exit(failed)
