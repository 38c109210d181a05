"""Probing sentences: every class is what its sentence is, on corpora made by hand."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anyview.data.named import named
from anyview.data.parts import Found, Table
from anyview.data.text import probing
from anyview.data.text.probing import TASKS, balanced
from anyview.errors import InputError

RNG = np.random.default_rng(0)
WORDS = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "klmnp"]
ROWS = [
    {"tokens": ["Dogs", "bark"], "pos": ["NNS", "VBP"], "tree_depth": 5, "top_constituents": ["NP", "VP"],
     "heads": [2, 0]},
    {"tokens": ["A", "dog", "barked"], "pos": ["DT", "NN", "VBD"], "tree_depth": 12,
     "top_constituents": ["NP", "VP"], "heads": [2, 3, 0]},
    {"tokens": ["Cats", "and", "dogs", "will", "bark"], "pos": ["NNS", "CC", "NNS", "MD", "VB"], "tree_depth": 3,
     "top_constituents": ["NP", "CC", "VP"], "heads": [5, 1, 5, 5, 0]},
    {"tokens": ["In", "May", "he", "left"], "pos": ["IN", "NNP", "PRP", "VBD"], "tree_depth": 6,
     "top_constituents": ["PP", "NP", "VP"], "heads": [4, 1, 4, 0]},
]  # fmt: skip


def table(rows: list[dict[str, Any]]) -> Table:
    held = pa.Table.from_pylist(rows)
    return Table("made", held.schema, held.num_rows, held=held)


def sentence() -> str:
    words = [str(w) for w in RNG.choice(WORDS, int(RNG.integers(3, 31)))]
    return " ".join([words[0].capitalize(), *words[1:-1], words[-1] + "."])


TEXTS = {"train": [sentence() for _ in range(600)], "validation": [sentence() for _ in range(200)]}


def corpora(name: str) -> Found:
    if name == "ptb_sample":
        return Found(name, {"train": table(ROWS * 3), "test": table(ROWS)})
    return Found(name, {split: table([{"text": t} for t in texts]) for split, texts in TEXTS.items()})


def made(task: str) -> dict[str, list[tuple[str, str]]]:
    found = TASKS[task](corpora)
    names = found.first.class_names("label")
    return {
        split: [(r["text"], names[r["label"]]) for r in part.held.to_pylist()]
        for split, part in found.splits.items()
    }


def test_length_is_that_of_the_sentence() -> None:
    found = made("length")
    for text, label in found["train"] + found["test"]:
        low, high = map(int, label.split(" to "))
        assert low <= len(text.split()) <= high
    counts = Counter(label for _, label in found["train"])
    assert len(counts) == 6
    assert max(counts.values()) <= 4000 // 6
    assert {t for t, _ in found["train"]} <= set(TEXTS["train"])
    assert {t for t, _ in found["test"]} <= set(TEXTS["validation"])


def test_a_sentence_has_its_word_and_no_other_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "RANKS", (20, 40))
    monkeypatch.setattr(probing, "TARGETS", 10)
    found = made("word")
    targets = {label for _, label in found["train"]}
    assert len(targets) == 10
    for text, label in found["train"]:
        assert [w for w in text.lower().strip(".").split() if w in targets] == [label]


def test_half_the_sentences_have_two_words_exchanged() -> None:
    found = made("shift")["train"]
    written = {tuple(t.split()) for t in TEXTS["train"]}
    for text, label in found:
        words = text.split()
        swaps = [(*words[:i], words[i + 1], words[i], *words[i + 2 :]) for i in range(len(words) - 1)]
        assert (tuple(words) in written) == (label == "as written")
        assert label == "as written" or written & set(swaps)
        assert words[0][0].isupper()
        assert words[-1].endswith(".")
    assert abs(sum(label == "shifted" for _, label in found) / len(found) - 0.5) < 0.02


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("depth", ["5", "12", "6"]),
        ("top", ["NP VP", "NP VP", "other", "other"]),
        ("tense", ["present", "past", "past"]),
        ("subject", ["plural", "singular"]),
    ],
)
def test_parsed_sentences_have_the_class_of_their_tree(
    task: str, labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "TOPS", 1)
    found = made(task)["test"]
    assert [label for _, label in found] == labels
    assert {text for text, _ in found} <= {" ".join(row["tokens"]) for row in ROWS}


def test_no_class_has_more_than_its_share() -> None:
    rows = [(str(i), "ab"[i % 10 == 0]) for i in range(100)]
    kept = balanced(rows, 20)
    assert Counter(label for _, label in kept) == {"a": 10, "b": 10}
    assert [int(text) for text, _ in kept] == sorted(int(text) for text, _ in kept)


def test_a_corpus_without_such_sentences_is_said() -> None:
    bare = [row | {"tree_depth": 1} for row in ROWS]
    with pytest.raises(InputError, match="probing-depth finds no sentence in train"):
        TASKS["depth"](lambda name: Found(name, {"train": table(bare)}))


def test_they_are_named_datasets(shared_data) -> None:
    found = named("probing-tense")
    assert found.first.class_names("label") == ["past", "present"]
    assert list(found.splits) == ["train", "validation", "test"]
    assert len(found.first) > 1000
