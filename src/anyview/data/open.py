"""The one door for data: ``open`` takes whatever holds samples and says what it found."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from anyview.data.found import look, missing
from anyview.data.named import HUB_NAME, NAMED, hub, is_name, named
from anyview.data.parts import Found
from anyview.data.readers import readers
from anyview.data.readers.base import Reader, none_readable
from anyview.data.remote import at, is_address
from anyview.data.source import Dataset, Source
from anyview.errors import InputError, unknown


def open(
    data: Any,
    *,
    modality: str | None = None,
    label: str | None = None,
    size: int | None = None,
    split: str | None = None,
    like: dict[str, Any] | None = None,
) -> Dataset:
    """Opens anything that holds samples.

    Args:
        data: a folder of files (flat; or one sub-folder for each class; or ``train/``, ``validation/``,
            ``test/`` of either), a Parquet file or a folder of them (``train.parquet``, ...), ``.npy`` or
            ``.npz``, an array, ``(x, y)``, a dict of splits, a Hugging Face dataset, a torch dataset or list,
            the name of a dataset, ``owner/name`` on the Hugging Face Hub, an address (``https://``, ``s3://``,
            ``hf://``) of files, or a Dataset, which is returned as it is. A path that exists goes before a name.
        modality: what the samples are; None asks every reader and takes the surest.
        label: column of the labels; None takes ``label`` when it is there. Pretraining never sees labels.
        size: how large a sample is held, in the modality's unit (images: side of the canvas in pixels).
        split: opens this split only.
        like: spec of data opened before, such as ``model.spec``: samples are read as those were, with their
            canvas, vocabulary and scale, so that a network trained on those can read these.

    Raises:
        InputError: when there is nothing, nothing readable, or no such column, split or modality.
    """
    if isinstance(data, Dataset):
        return _only(data, split)
    found = _find(data)
    if split in found.splits:
        found, split = Found(found.name, {split: found.splits[split]}), None
    dataset = _reader(found, modality).read(found, label=label, size=size, like=like)
    if split is None:
        return dataset
    # Splits may lie inside of what was found: nodes by masks, graphs by folds.
    if split not in dataset.splits:
        raise unknown("split", split, dataset.splits, f"in {found.name}")
    return _only(dataset, split)


def open_column(data: Any, column: str, dataset: Dataset) -> dict[str, Source]:
    """The samples of ``dataset``, which was opened from ``data``, with what stands in another column as their label.

    Raises:
        InputError: when there is no such column, or ``data`` is no table that could be read again.
    """
    if isinstance(data, Dataset):
        raise InputError(
            f'{data.name} is open already, so no column "{column}" can be read; give its file or table'
        )
    again = open(data, modality=dataset.modality, label=column).splits  # a table may have been read by it
    if {name: len(split) for name, split in again.items()} != {n: len(s) for n, s in dataset.splits.items()}:
        raise InputError(
            f'the column "{column}" of {dataset.name} is not of the same samples; look at its files'
        )
    return again


def _only(dataset: Dataset, split: str | None) -> Dataset:
    if split is None:
        return dataset
    part = {split: dataset.split(split)}
    return replace(dataset, splits=part, unlabelled=None)


def _find(data: Any) -> Found:
    if is_address(data):
        return at(data)
    if isinstance(data, str) and Path(data).name == data and not Path(data).exists():
        if is_name(data):
            return named(data)
        raise missing(Path(data), sorted(NAMED))
    if isinstance(data, str) and HUB_NAME.fullmatch(data) and not Path(data).parent.exists():
        return look(hub(data), name=data)
    return look(data)


def _reader(found: Found, modality: str | None) -> Reader:
    """The reader that was asked for, or the surest one."""
    known = readers()
    if modality is not None:
        if modality not in known:
            raise unknown("modality", modality, known)
        return known[modality]
    claims = {name: reader.claim(found) for name, reader in known.items()}
    best = max(claims.values())
    surest = [name for name, claim in claims.items() if claim == best]
    if best == 0:
        raise none_readable(found, "any known kind of data", "images, texts, sounds, volumes or clips")
    if len(surest) > 1:
        raise InputError(f"{found.name} could be {_either(surest)}; say which with --modality")
    return known[surest[0]]


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
