"""Texts as they come: what each broken or unusual file, list or column of them becomes."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from broken import Case, behaves, everything, given, saved

from anyview.data.text.vocabulary import decode

WORDS = ["the cat sat on the mat", "a dog ran over the road", "the dog and the cat"]


def texts(found) -> list[str]:
    return decode(everything(found), found.spec)


def same(*wanted: str) -> Callable[..., bool]:
    return lambda found: texts(found) == list(wanted)


def lines(*more: str, end: str = "\n") -> str:
    return end.join([*WORDS, *more]) + end


def documents(**files: bytes) -> Callable[[Path], None]:
    """A folder of documents beside a good one."""

    def make(folder: Path) -> None:
        for name, content in ({"good.txt": WORDS[0].encode()} | files).items():
            (folder / name).write_bytes(content)

    return make


def kept(what: str, text: str, becomes: str = "", holds: Callable | None = None) -> Case:
    """A fourth text in a list."""
    return Case(what, given([*WORDS, text]), 4, becomes=becomes, holds=holds)


def left(what: str, text: object) -> Case:
    return Case(what, given(pa.table({"text": pa.array([*WORDS, text])})), 3, 1, "is empty")


def known(found) -> bool:
    """No token of the fourth text is unknown."""
    return found.spec["unknown"] not in everything(found).unpack()[3].tolist()


PAIRS = {"sentence1": ["a b", None, "c d"], "sentence2": ["b a", "c", " "], "score": [1.0, 2.0, 3.0]}
TABLE = [
    Case("an empty file", saved("", "x.txt"), says="holds no rows"),
    Case("spaces and line ends", saved(" \n\t\n\u3000\n", "x.txt"), says="holds no rows"),
    Case("zeros", saved(bytes(4096), "x.txt"), says="x.txt"),
    Case("letters that are no UTF-8", saved("café".encode("latin-1"), "x.txt"), says="cannot be read as text in UTF-8"),
    Case("UTF-16", saved(lines().encode("utf-16"), "x.txt"), says="cannot be read as text in UTF-8"),
    Case("an image that is called a text", saved(b"\x89PNG\r\n\x1a\n\0\xff", "x.txt"), says="as text in UTF-8"),
    Case("a byte order mark", saved("\ufeff" + lines(), "x.txt"), 3, holds=same(*WORDS)),
    Case("Windows' and old Macs' line ends", saved(lines(end="\r\n") + "one\rtwo", "x.txt"), 5,
         holds=lambda f: texts(f)[3:] == ["one", "two"]),
    Case("no line end at the end", saved(lines().rstrip(), "x.txt"), 3, holds=same(*WORDS)),
    Case("empty lines between", saved(lines().replace("\n", "\n\n"), "x.txt"), 3, holds=same(*WORDS)),
    Case("separators of Unicode within a line", saved(lines("one\u2028two\x0cthree\x85four"), "x.txt"), 4,
         becomes="as one text"),
    Case("one text", given(["the cat"]), 1),
    Case("an empty list", given([]), says="0 samples"),
    Case("numbers in a list", given([1, 2, 3]), says="none could be read as text"),
    Case("None in a list", given(["the cat", None, "a dog"]), 2, 1, "is empty"),
    left("an empty text", ""),
    left("a text of spaces", " \t\u00a0\u2003"),
    left("null", None),
    kept("zero-width characters alone", "\u200b\u200d\ufeff", "one unknown token"),
    kept("characters of control", "a\x00b\x1b[31mc\x07", holds=lambda f: texts(f)[3].isprintable()),
    kept("marks alone", "?!...,;"),
    kept("numbers alone", "12 000,50"),
    kept("right to left", "שלום עולם مرحبا بالعالم"),
    kept("ideographs", "我爱北京天安门 東京 서울", "one by one"),
    kept("Indic scripts with joined letters", "क्षत्रिय நன்றி"),
    kept("emoji of several characters", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽"),
    kept("mathematical letters, ligatures, full width", "𝓉𝒽ℯ ﬁsh ＡＢＣ the", "as plain letters",
         lambda f: texts(f)[3].split()[0] == "the"),
    kept("composed and decomposed letters", "café cafe\u0301", "alike",
         lambda f: len(set(texts(f)[3].replace(" ", ""))) < 6 or texts(f)[3].split()[0] == texts(f)[3].split()[-1]),
    kept("a hundred accents on one letter", "e" + "\u0301" * 100),
    kept("characters beyond all scripts", "\U000f0000\ufffe\U0010ffff"),
    Case("half a surrogate pair", given([*WORDS, "broken \ud83d here"]), 3, 1, "is no text in UTF-8"),
    kept("a word of 20,000 letters", "a" * 20_000, holds=lambda f: int(everything(f).length.max()) <= 256),
    kept("10,000 words", "cat " * 10_000, "its first 256 tokens", lambda f: int(everything(f).length[3]) == 256),
    kept("mark-up and script", "<script>alert('x')</script> &amp; {{7*7}} %s"),
    kept("names of special tokens", "[MASK] [PAD] [UNK] the cat", "as words",
         lambda f: f.spec["mask"] not in everything(f).unpack()[3].tolist()),
    Case("one text many times", given(["the cat"] * 50), 50),
    Case("a document that is no UTF-8", documents(**{"x.txt": "café".encode("latin-1")}), 1, 1, "is no text in UTF-8"),
    Case("an empty document", documents(**{"x.txt": b""}), 1, 1, "is empty"),
    Case("a document of another ending", documents(**{"x.docx": b"PK\x03\x04"}), 1, 1, "is no text file"),
    Case("nothing but such documents", documents(**{"good.txt": b"", "x.txt": b"\xff"}), says="none could be read as text"),
    Case("words with null among them", given(pa.table({"tokens": [["the", None, "cat"], [], None]})), 1, 2, "is empty"),
    Case("pairs with half missing", given(pa.table(PAIRS)), 1, 2, "is empty"),
    Case("a column of numbers called text", given(pa.table({"text": [1, 2]})), says="has no column of text"),
    Case("no column of text", given(pa.table({"a": ["x", "y"], "b": [1, 2]})), says="has no column of text"),
    Case("a text that stands in two columns of one name",
         given(pa.Table.from_arrays([pa.array(WORDS)] * 2, ["text", "text"])), says='two columns "text"'),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_text_is_read_left_out_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "text")
