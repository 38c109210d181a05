"""What tests share: threads that suit two cores, and small data of every modality."""

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small nets gain nothing from a second, and wait for it
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock

warnings.filterwarnings("ignore", module="pytorch_lightning")


def pytest_collection_finish() -> None:
    """What imports and collecting have made lasts; the garbage collector need not walk it again and again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.default_generator.manual_seed(0)  # torch.manual_seed notes a traceback, 5,000 times


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread, whatever the environment says."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """``once(name, make)``: a folder that ``make`` has filled, once for all workers of a test run."""

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        base = tmp_path_factory.getbasetemp()
        made = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
        with FileLock(f"{made}.lock"):
            if not made.exists():
                made.mkdir()
                make(made)
        return made

    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of small real datasets; tests that need it are skipped where there is none."""
    folder = os.environ.get("ANYVIEW_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ANYVIEW_DATA names no folder of datasets")
    return Path(folder)
