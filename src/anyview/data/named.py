"""Datasets by name: those under $ANYVIEW_DATA, scikit-learn's digits, a few from their public source, and some that are
made when they are asked for."""

import gzip
import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anyview.data import streamed
from anyview.data.found import look
from anyview.data.images.scenes import TASKS as SCENES
from anyview.data.images.scenes import scenes
from anyview.data.parts import Arrays, Found, cache_folder
from anyview.data.text.probing import TASKS as PROBING
from anyview.data.waiting import Waiting
from anyview.errors import InputError, RunError, unknown

#: how datasets on the Hugging Face Hub are called
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Remote:
    """A file at its public source. ``digest`` is ``md5:...`` or ``sha256:...`` of the file's bytes."""

    url: str
    digest: str

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[1]

    def check(self, path: Path) -> None:
        """Raises RunError when what came is another file."""
        kind, wanted = self.digest.split(":")
        with path.open("rb") as file:
            got = hashlib.file_digest(file, kind).hexdigest()
        if got != wanted:
            raise RunError(f"{self.url} is not the file it was ({kind} {got[:12]}..., not {wanted[:12]}...)")


CIFAR10 = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
_ZALANDO = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"  # no https there; the digests guard it
)
FASHION_MNIST = (
    Remote(f"{_ZALANDO}/train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    Remote(f"{_ZALANDO}/train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe"),
    Remote(f"{_ZALANDO}/t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79"),
    Remote(f"{_ZALANDO}/t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310"),
)
FASHION_CLASSES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip


def digits() -> Found:
    """scikit-learn's handwritten digits: 1,797 grays of 8 x 8, as 1,437 train and 360 test (stratified)."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    x = (data.images * (255 / 16)).round().astype(np.uint8)  # 0..16 as they were scanned
    train, test = train_test_split(np.arange(len(x)), test_size=360, stratify=data.target, random_state=0)
    names = [str(name) for name in data.target_names]
    splits = {"train": np.sort(train), "test": np.sort(test)}
    return Found("digits", {s: Arrays(x[rows], data.target[rows], names) for s, rows in splits.items()})


def cifar10(remote: Remote = CIFAR10) -> Found:
    """CIFAR-10 (Krizhevsky 2009) from the binary archive: records of one label and 3 x 32 x 32 bytes."""
    path = fetch("cifar10", remote)
    parts: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    try:
        with tarfile.open(path) as archive:  # read in place: nothing of the archive is written to disk
            for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
                member = archive.extractfile(f"cifar-10-batches-bin/{name}.bin")
                if member is None:
                    raise KeyError(name)
                records = np.frombuffer(member.read(), np.uint8).reshape(-1, 1 + 3072)
                parts["test" if name == "test_batch" else "train"].append(records)
    except (tarfile.TarError, KeyError, ValueError, EOFError, OSError) as error:
        raise InputError(f"{path} is no CIFAR-10 archive ({error}); delete it and try again") from error
    splits = {s: np.concatenate(records) for s, records in parts.items()}
    return Found(
        "cifar10",
        {
            s: Arrays(r[:, 1:].reshape(-1, 3, 32, 32), r[:, 0].astype(int), CIFAR10_CLASSES)
            for s, r in splits.items()
        },
    )


def fashion_mnist(remotes: Sequence[Remote] = FASHION_MNIST) -> Found:
    """Fashion-MNIST (arXiv:1708.07747): grays of 28 x 28, 60,000 train and 10,000 test."""
    arrays = [read_idx(fetch("fashion_mnist", remote)) for remote in remotes]
    train, test = Arrays(arrays[0], arrays[1], FASHION_CLASSES), Arrays(arrays[2], arrays[3], FASHION_CLASSES)
    return Found("fashion_mnist", {"train": train, "test": test})


NAMED: dict[str, Callable[[], Found]] = {
    "digits": digits,
    "cifar10": cifar10,
    "fashion_mnist": fashion_mnist,
    **{f"scenes-{task}": partial(scenes, task) for task in SCENES},
    **{f"probing-{task}": partial(make, lambda name: named(name)) for task, make in PROBING.items()},
}


def is_name(name: str) -> bool:
    """Whether ``named`` can open this."""
    return name in NAMED or _local(name) is not None


def named(name: str) -> Found:
    """A dataset by name: from $ANYVIEW_DATA when it is there, else from its source (kept in the cache).

    Raises:
        InputError: for an unknown name.
        RunError: when the source cannot be reached or gives something else.
    """
    here = _local(name)
    if here is not None:
        return look(here)
    if name not in NAMED:
        raise unknown("dataset", name, NAMED)
    return NAMED[name]()


def _local(name: str) -> Path | None:
    root = os.environ.get("ANYVIEW_DATA")
    plain = name not in ("", ".", "..") and not set(name) & set("/\\")
    return Path(root) / name if root and plain and (Path(root) / name).is_dir() else None


def hub(name: str) -> Any:
    """A dataset of the Hugging Face Hub by ``owner/name``; code that comes with a dataset is never run.

    Raises:
        InputError: when ``datasets`` is not installed, or the Hub has no such dataset or cannot be reached.
    """
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            f'no folder {name}; to take it from the Hugging Face Hub: pip install "anyview[hub]"'
        ) from error
    try:
        return datasets.load_dataset(name)
    except (datasets.exceptions.DatasetNotFoundError, ValueError) as error:
        raise InputError(
            f"no folder {name}, and the Hugging Face Hub gives no dataset of that name"
        ) from error
    except OSError as error:
        raise InputError(
            f"no folder {name}, and the Hugging Face Hub cannot be reached to look there"
        ) from error


def fetch(name: str, remote: Remote) -> Path:
    """The file in the cache, fetched when it is not there; it appears only whole and with its digest. Its folder
    stays, so that the file can be put there."""
    path = cache_folder() / name / remote.file
    if not path.exists():
        try:
            with Waiting(f"fetching {remote.file}", None, 10**6, "MB") as waiting:
                streamed.fetch(remote.url, path, remote.check, waiting)
        except (InputError, RunError) as error:
            either = " Or" if str(error).endswith("?") else "; or"
            raise RunError(
                f"{name} is not under $ANYVIEW_DATA, and {error}{either} put {remote.file} into {path.parent}/"
            ) from error
    return path


def read_idx(path: Path) -> np.ndarray:
    """A gzipped IDX file of bytes: 0 0 8 axes, the length of every axis (big-endian int32), the values."""
    try:
        with gzip.open(path) as file:
            data = file.read()
        axes = data[3] if data[:3] == b"\0\0\x08" else 0
        shape = np.frombuffer(data, ">i4", axes, 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape if axes else [-1, 0])
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise InputError(f"{path} is no IDX file ({error}); delete it and try again") from error
