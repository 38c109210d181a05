"""Images with captions as they come: what each broken or unusual row, file or caption becomes."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from broken import Case, behaves, everything, given
from PIL import Image

from anyview.data.text.vocabulary import decode


def png(i: int, side: int = 12) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(i).integers(0, 255, (side, side, 3), dtype=np.uint8)).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


CAPTIONS = [f"a picture of number {word}" for word in ("one", "two", "three", "four", "five", "six")]
ROWS = [(f"{i}.png", caption) for i, caption in enumerate(CAPTIONS)]


def table(caption: object = "a seventh", image: object = None, **more: list[object]) -> pa.Table:
    """Six good rows and one of this caption and image; ``None`` is an image like the others."""
    images = [*(png(i) for i in range(6)), png(9) if image is None else image or None]
    return pa.table({"image": images, "caption": pa.array([*CAPTIONS, caption], pa.string())} | more)


def folder(*more: tuple[str, ...], head: tuple[str, ...] = ("file_name", "caption"), rows: list = ROWS,
           name: str = "metadata.csv", encoding: str = "utf-8", **files: bytes) -> Callable[[Path], None]:  # fmt: skip
    """Six images and a table of their captions; rows and files may be added."""

    def make(path: Path) -> None:
        for i in range(6):
            (path / f"{i}.png").write_bytes(png(i))
        for file, content in files.items():
            (path / file).write_bytes(content)
        text = io.StringIO(newline="")
        csv.writer(text).writerows([head, *rows, *more])
        (path / name).write_bytes(text.getvalue().encode(encoding))

    return make


def last(text: str) -> Callable[..., bool]:
    """The seventh caption."""
    return lambda found: decode(everything(found)["text"][6:], found.spec["text"]) == [text]


def left(what: str, says: str, **row: object) -> Case:
    return Case(what, given(table(**row)), 6, 1, says)


def read(what: str, caption: str, becomes: str = "", holds: Callable | None = None) -> Case:
    return Case(what, given(table(caption)), 7, becomes=becomes, holds=holds)


def lost(what: str, row: tuple[str, str], says: str, **files: bytes) -> Case:
    """A row of a folder that cannot be used."""
    return Case(what, folder(row, **files), 6, 1, says)


NO_IMAGE = "is no image that can be read"
TABLE = [
    left("no caption", "has no caption", caption=None),
    left("an empty caption", "has no caption", caption=""),
    left("a caption of spaces", "has no caption", caption=" \t\u00a0"),
    left("no image", "is empty", image=b""),
    left("text instead of an image", NO_IMAGE, image=b"hello"),
    left("zeros instead of an image", NO_IMAGE, image=bytes(512)),
    left("an image cut in the middle", "truncated", image=png(9, 64)[:4000]),
    Case("images of other sizes", given(table(image=png(9, 40))), 7, becomes="on one canvas"),
    read("two captions alike", CAPTIONS[0], "both are kept"),
    read("a caption in another script", "ｓｉｘ ﬁsh", "as plain letters", last("six fish")),
    read("emoji and right to left", "🙂 שלום"),
    read("a caption of 20,000 letters", "a" * 20_000, "its first 256 tokens",
         lambda f: int(everything(f)["text"].length.max()) <= 256),
    read("mark-up and script", "<script>alert('x')</script>"),
    read("line ends in a caption", "a picture\nof number\r\nsix", "as spaces", last("a picture of number six")),
    read("zero bytes in a caption", "a\0picture"),
    read("names of special tokens", "[MASK] [PAD]", "as words",
         lambda f: f.spec["text"]["mask"] not in everything(f)["text"].values.tolist()),
    Case("nothing but empty captions", given(pa.table({"image": [png(0)] * 3, "caption": [None, "", " "]})),
         says="no column of captions"),
    Case("captions that are numbers", given(table().set_column(1, "caption", [list(range(7))])), says="no column of captions"),
    Case("one caption for all", given(table().set_column(1, "caption", [["a cat"] * 7])), says="no column of captions"),
    Case("no images at all", given(table().select(["caption"])), says="as image_text"),
    Case("nothing but broken images", given(table().set_column(0, "image", [[b"x"] * 7])), says="as image_text"),
    Case("two columns of captions of one name", given(pa.Table.from_arrays(
        [table()["image"], table()["caption"], table()["caption"]], ["image", "caption", "caption"])), says='two columns "caption"'),
    Case("a label that is missing", given(table(label=[0, 1, 0, 1, 0, 1, None])), 7, becomes="unknown",
         holds=lambda f: f.train.label.tolist() == [0, 1, 0, 1, 0, 1, -1]),
    lost("a file that is not there", ("7.png", "a seventh"), "No such file"),
    lost("a row without a file", ("", "a seventh"), "names no file"),
    lost("a folder instead of a file", (".", "a seventh"), "Is a directory"),
    lost("a broken file", ("x.png", "a seventh"), NO_IMAGE, **{"x.png": b"hello"}),
    lost("a file outside of the folder", ("../0.png", "a seventh"), "lies outside of the folder"),
    lost("a path from the root", ("/etc/hostname", "a seventh"), "lies outside of the folder"),
    lost("a file without a caption", ("0.png", ""), "has no caption"),
    Case("a file with two captions", folder(("0.png", "another view of it")), 7, becomes="a pair each"),
    Case("a file that no row names", folder(**{"9.png": png(9)}), 6, becomes="without it"),
    Case("a name of a file in another script", folder(("Ω 図 🙂.png", "a seventh"), **{"Ω 図 🙂.png": png(9)}), 7),
    Case("a table in Latin-1", folder(("0.png", "un café"), encoding="latin-1"), says="as image_text"),
    Case("a table without captions", folder(head=("file_name", "class")), says="as image_text"),
    Case("a table that names no files", folder(head=("who", "caption")), says="as image_text"),
    Case("two tables", folder(**{"more.csv": b"file_name,caption\n"}), says="as image_text"),
    Case("a table without a row", folder(rows=[]), says="as image_text"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_pair_is_read_left_out_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "image_text")
