"""Sentences whose form is known, to ask what an embedding still tells of it (Conneau et al. 2018, arXiv:1805.01070).

Their sentences are parsed ones of a book corpus; these are made, by the same rules as far as the corpora allow, of
``english_corpus`` (plain sentences) and ``ptb_sample`` (Penn Treebank). Where the rules differ the functions say so.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa

from anyview.data.parts import Found, Table
from anyview.errors import InputError

#: lengths in words of the classes of ``length``, from and to
LENGTHS = ((5, 8), (9, 12), (13, 16), (17, 20), (21, 25), (26, 28))
RANKS, TARGETS = (2000, 3000), 100  #: of words by frequency, and how many of them ``word`` asks for
DEPTHS = range(5, 13)
TOPS = 9  #: sequences of top constituents that are classes of their own; all others are one more
TENSES = {"VBD": "past", "VBP": "present", "VBZ": "present"}
NUMBERS = {"NN": "singular", "NNP": "singular", "NNS": "plural", "NNPS": "plural"}
SIZES = {"train": 4000, "test": 2000}  #: sentences of tasks that are made of plain ones

Rows = Iterable[tuple[str, str]]  #: sentence and class


def length(corpora: Callable[[str], Found], seed: int = 0) -> Found:
    """How many words: six classes, equally frequent."""
    return _plain("length", corpora, seed, lambda texts, rng: _by_length(texts))


def word(corpora: Callable[[str], Found], seed: int = 0) -> Found:
    """Which of 100 words of medium frequency the sentence has (theirs: 1,000); it has exactly one of them."""
    train = corpora("english_corpus").splits["train"]
    assert isinstance(train, Table)
    times = Counter(w for text in _texts(train) for w in set(_words(text)))
    ranked = [w for w, _ in sorted(times.items(), key=lambda item: (-item[1], item[0])) if w.isalpha()]
    targets = set(ranked[slice(*RANKS)][:: (RANKS[1] - RANKS[0]) // TARGETS])

    def rows(texts: list[str], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
        for text in texts:
            held = [w for w in _words(text) if w in targets]
            if len(held) == 1:
                yield text, held[0]

    return _plain("word", corpora, seed, rows)


def shift(corpora: Callable[[str], Found], seed: int = 0) -> Found:
    """Whether two neighbouring words have changed places, as in one half of the sentences."""
    return _plain("shift", corpora, seed, _shifted)


def depth(corpora: Callable[[str], Found], seed: int = 0) -> Found:
    """How deep the tree is: 5 to 12 (theirs: made independent of length)."""
    return _parsed("depth", corpora, lambda row: str(d) if (d := row["tree_depth"]) in DEPTHS else None)


def top(corpora: Callable[[str], Found], seed: int = 0) -> Found:
    """Which constituents stand below the root: the 9 most frequent sequences, or another (theirs: 19, balanced)."""
    train = corpora("ptb_sample").splits["train"]
    assert isinstance(train, Table)
    each = Counter(map(" ".join, train.columns(["top_constituents"])["top_constituents"].to_pylist()))
    common = {name for name, _ in sorted(each.items(), key=lambda item: (-item[1], item[0]))[:TOPS]}

    def label(row: dict) -> str:
        name = " ".join(row["top_constituents"])
        return name if name in common else "other"

    return _parsed("top", corpora, label)


def tense(corpora: Callable[[str], Found], seed: int = 0) -> Found:
    """Whether the verb that all depends on is in the past or the present; other forms are left out."""
    return _parsed("tense", corpora, lambda row: TENSES.get(row["pos"][row["heads"].index(0)]))


def subject(corpora: Callable[[str], Found], seed: int = 0) -> Found:
    """Whether the subject is one or several: the only noun before a tensed main verb that depends on it."""
    return _parsed("subject", corpora, _subject)


TASKS: dict[str, Callable[[Callable[[str], Found]], Found]] = {
    task.__name__: task for task in (length, word, depth, top, shift, tense, subject)
}


def _subject(row: dict) -> str | None:
    root = row["heads"].index(0)
    tags = [row["pos"][i] for i in range(root) if row["heads"][i] == root + 1 and row["pos"][i] in NUMBERS]
    return NUMBERS[tags[0]] if row["pos"][root] in TENSES and len(tags) == 1 else None


# ---- from plain sentences


def _plain(
    task: str,
    corpora: Callable[[str], Found],
    seed: int,
    rows_of: Callable[[list[str], np.random.Generator], Rows],
) -> Found:
    """Train from the corpus's train documents, test from its validation documents; classes equally frequent."""
    found, rng, splits = corpora("english_corpus"), np.random.default_rng(seed), {}
    for split, origin in (("train", "train"), ("test", "validation")):
        part = found.splits[origin]
        assert isinstance(part, Table)
        texts = list(dict.fromkeys(_texts(part)))
        texts = [texts[i] for i in rng.permutation(len(texts))]
        splits[split] = balanced(rows_of(texts, rng), SIZES[split])
    return _tables(task, splits)


def _texts(part: Table) -> list[str]:
    """Sentences of 5 to 28 words, as theirs."""
    texts = part.columns(["text"])["text"].to_pylist()
    return [text for text in texts if LENGTHS[0][0] <= len(text.split()) <= LENGTHS[-1][1]]


def _words(text: str) -> list[str]:
    return [w.strip(".,;:!?\"'()").lower() for w in text.split()]


def _by_length(texts: list[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        n = len(text.split())
        yield text, next(f"{low} to {high}" for low, high in LENGTHS if low <= n <= high)


def _shifted(texts: list[str], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Only plain words change places, and never the first: capitals and full stops would tell."""
    for number, text in enumerate(texts):
        words = text.split()
        free = [i for i in range(1, len(words) - 1) if _free(words[i]) and _free(words[i + 1])]
        free = [i for i in free if words[i] != words[i + 1]]
        if not free:
            continue
        if number % 2:
            i = int(rng.choice(free))
            words[i : i + 2] = words[i + 1], words[i]
        yield " ".join(words), "shifted" if number % 2 else "as written"


def _free(word: str) -> bool:
    return word.isalpha() and word.islower()


def balanced(rows: Rows, size: int) -> list[tuple[str, str]]:
    """``size`` rows or fewer in their order, no class more than its equal share of them."""
    rows = list(rows)
    share = size // max(1, len({label for _, label in rows}))
    kept, taken = [], Counter[str]()
    for text, label in rows:
        if taken[label] < share:
            taken[label] += 1
            kept.append((text, label))
    return kept


# ---- from parsed sentences


def _parsed(task: str, corpora: Callable[[str], Found], label: Callable[[dict], str | None]) -> Found:
    """The splits of the treebank, classes as they fall; sentences without a label are left out."""
    splits = {}
    names = ["tokens", "pos", "tree_depth", "top_constituents", "heads"]
    for split, part in corpora("ptb_sample").splits.items():
        assert isinstance(part, Table)
        rows = part.columns(names).to_pylist()
        splits[split] = [(" ".join(r["tokens"]), name) for r in rows if r["heads"] and (name := label(r))]
    return _tables(task, splits)


def _tables(task: str, splits: dict[str, list[tuple[str, str]]]) -> Found:
    names = sorted({label for rows in splits.values() for _, label in rows}, key=_natural)
    number, parts = {name: i for i, name in enumerate(names)}, {}
    for split, rows in splits.items():
        if not rows:
            raise InputError(f"probing-{task} finds no sentence in {split} of its corpus; is it whole?")
        held = pa.table(
            {
                "text": pa.array([text for text, _ in rows], pa.string()),
                "label": pa.array([number[label] for _, label in rows], pa.int64()),
            },
            metadata={"label_names": json.dumps(names)},
        )
        parts[split] = Table(f"probing-{task} {split}", held.schema, held.num_rows, held=held)
    return Found(f"probing-{task}", dict(parts))


def _natural(name: str) -> tuple[int, str]:
    """Numbers by size, words by letters."""
    first = name.split()[0]
    return (int(first) if first.isdigit() else -1, name)
