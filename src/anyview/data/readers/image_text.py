"""Images with captions: tables with a column of each, and folders of images with a table of captions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from anyview.data import labels
from anyview.data.batch import Batch, Ragged
from anyview.data.images.items import Collected, Encoded, Split, Where, image_column, inside, is_image_file
from anyview.data.parts import Files, Found, Table
from anyview.data.readers.base import Reader, none_readable
from anyview.data.readers.image import _read_items
from anyview.data.source import Dataset, Items, Skipped, Source, Spec, UnreadableError
from anyview.data.streamed import Shelf
from anyview.data.tables import ENDINGS, of_file
from anyview.data.text.vocabulary import fit, numbers
from anyview.errors import InputError

#: columns that hold captions, the surest first
CAPTIONS = ("caption", "captions", "text", "description", "name")
#: columns of a table of captions that say which file
FILE_NAMES = ("file_name", "filename", "file", "image", "path", "image_path")
PROBED = 256  #: rows that a column is judged by
#: share of different captions from which they say more than a class does
DIFFERENT = 0.5
#: share of names with two words or more from which they are captions
PHRASES = 0.3


class PairSource(Source):
    """Images, held or streamed, each with the caption and label of its row. ``images.label`` is that row."""

    def __init__(
        self, images: Source, text: Ragged, spec: Spec, label: Tensor | None, names: list[str] | None
    ) -> None:
        assert images.label is not None
        kept = None if label is None else label[images.label]
        super().__init__("image_text", spec, len(images), kept, names, images.skipped)
        self.images, self.text, self.in_memory = images, text, images.in_memory

    def fetch(self, index: Int[Tensor, "batch"]) -> Batch:
        found = self.images.fetch(index)
        assert found.label is not None
        return self._batch({"image": found.x, "text": self.text[found.label]}, found.index)

    def order(self, generator: torch.Generator) -> Int[Tensor, "samples"]:
        return self.images.order(generator)

    def ahead(self, order: Int[Tensor, "samples"]) -> Callable[[Int[Tensor, "batch"]], None]:
        return self.images.ahead(order)

    def take(self, index: Int[Tensor, "subset"]) -> "PairSource":
        part = super().take(index)
        assert isinstance(part, PairSource)
        part.images = self.images.take(index)
        return part


class ImageTextReader(Reader):
    modality = "image_text"
    wants = "images and a table of their captions"

    def claim(self, found: Found) -> float:
        part = found.first
        if isinstance(part, Table):
            return 0.95 if caption_column(part) and image_column(part) else 0.0
        return 1.0 if isinstance(part, Files) and caption_table(part) is not None else 0.0

    def read(
        self, found: Found, *, label: str | None = None, size: int | None = None, like: Spec | None = None
    ) -> Dataset:
        """``{"image": uint8, "text": Ragged}``: images on one canvas as the image reader makes it, captions by
        the vocabulary of train or of ``like``. Rows without image or caption are left out and listed.

        Args:
            size: side of the canvas in pixels.
        """
        if size is not None and size < 1:
            raise InputError(f"size is {size}; give the side of the canvas in pixels, such as 64")
        tables, items = _tables(found)
        by_split, names = labels.of_table(Found(found.name, dict(tables)), label)
        collected, captions = Collected({}), {}
        for name, table in tables.items():
            column = caption_column(table)
            if column is None:
                raise InputError(
                    f"{table.name} has no column of captions (columns: {', '.join(table.schema.names)}); "
                    "call it caption"
                )
            texts = [str(text or "").strip() for text in table.columns([column]).column(column).to_pylist()]
            captions[name] = texts
            rows = torch.tensor([i for i, text in enumerate(texts) if text], dtype=torch.int64)
            where = Where(table.name)
            collected.skipped += [
                Skipped(where(i), "has no caption") for i, text in enumerate(texts) if not text
            ]
            picked = rows.tolist()
            collected.splits[name] = Split(_Picked(items[name], picked), _PickedWhere(where, picked), rows)
        images = _read_items(found, collected, size, None if like is None else like["image"])
        learned = captions.get("train", next(iter(captions.values())))
        text_spec = fit(list(dict.fromkeys(filter(None, learned))), None if like is None else like["text"])
        spec = {"image": images.spec, "text": text_spec}
        splits: dict[str, Source] = {
            name: PairSource(source, numbers(captions[name], text_spec)[0], spec, by_split[name], names)
            for name, source in images.splits.items()
        }
        different = len(set(learned) - {""})
        notes = [*images.notes, f"{different:,} different captions in column {column}"]
        return Dataset(found.name, "image_text", splits, images.skipped, notes)


class _Picked:
    """Some of the items, by number; classes so that a worker process can be given them."""

    def __init__(self, items: Items, rows: list[int]) -> None:
        self.items, self.rows = items, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> object:
        return self.items[self.rows[i]]

    @property
    def remote(self) -> Shelf | None:
        return getattr(self.items, "remote", None)

    def shards(self) -> Tensor | None:
        found = self.items.shards() if isinstance(self.items, Encoded) else None
        return None if found is None else found[self.rows]


class _Named:
    """Images of a folder that its table names."""

    def __init__(self, folder: str, names: list[Any]) -> None:
        self.folder, self.names = folder, names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> str:
        if not self.names[i]:
            raise UnreadableError("names no file")
        return inside(self.folder, str(self.names[i]))


class _PickedWhere:
    def __init__(self, where: Where, rows: list[int]) -> None:
        self.where, self.rows = where, rows

    def __call__(self, i: int) -> str:
        return self.where(self.rows[i])


def caption_column(table: Table) -> str | None:
    """The column of captions: one of the usual names that says more than a class does.

    Of its first rows at least half must differ; a column ``name`` or ``text`` must also hold phrases, not single
    words, which are names of files, people or classes.
    """
    for column in CAPTIONS:
        if column not in table.schema.names or str(table.schema.field(column).type) not in (
            "string",
            "large_string",
            "string_view",
        ):
            continue
        texts = [text for text in table.head(column, PROBED).to_pylist() if text]
        phrases = sum(" " in text.strip() for text in texts)
        enough = column not in ("name", "text") or phrases >= PHRASES * len(texts)
        if texts and enough and len(set(texts)) >= max(2, DIFFERENT * len(texts)):
            return column
    return None


def caption_table(files: Files) -> Table | None:
    """The one table in a folder of images that names their files and captions; None when there is none."""
    tables = [path for path in files.paths if Path(path).suffix in ENDINGS and "/" not in path]
    if len(tables) != 1 or not any(is_image_file(path) for path in files.paths if Path(path).suffix):
        return None
    try:
        table = of_file(files.root / tables[0]) if Path(tables[0]).suffix != ".parquet" else None
    except InputError:  # some other file that is no table
        return None
    return table if table and _file_column(table) and caption_column(table) else None


def _file_column(table: Table) -> str | None:
    return next((name for name in FILE_NAMES if name in table.schema.names), None)


def _tables(found: Found) -> tuple[dict[str, Table], dict[str, Items]]:
    """The table of each split, and its images by row."""
    tables: dict[str, Table] = {}
    items: dict[str, Items] = {}
    for name, part in found.splits.items():
        if isinstance(part, Table) and (column := image_column(part)) is not None:
            tables[name] = part
            items[name] = Encoded.of(part, column)
        elif isinstance(part, Files) and (table := caption_table(part)) is not None:
            tables[name] = table
            column = _file_column(table)
            assert column is not None
            names = table.columns([column]).column(column).to_pylist()
            items[name] = _Named(str(part.root), names)
    if not tables:
        raise none_readable(found, "image_text", ImageTextReader.wants)
    return tables, items
