"""Text is found in whatever holds it, encoded by one vocabulary, and what is empty is left out by name."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from anyview.data import open as open_data
from anyview.data.batch import Ragged
from anyview.data.text.vocabulary import decode, encode, fit, learn, numbers, spec_of_file
from anyview.errors import InputError

TEXTS = [
    "The cat sat on the mat.",
    "A dog saw the cat!",
    "Über den Dächern, grüne Katzen",
    "猫坐在垫子上。",
] * 10


def texts_of(dataset, split: str = "train") -> list[str]:
    source = dataset.splits[split]
    return decode(source.fetch(torch.arange(len(source))).x, dataset.spec)


def words(text: str) -> str:
    return "".join(text.lower().split())


def test_tokens_say_the_text_again() -> None:
    ids, spec = encode(TEXTS)
    assert ids.values.dtype == torch.int64
    assert int(ids.values.max()) < spec["vocabulary"]
    assert [words(t) for t in decode(ids, spec)] == [words(t) for t in TEXTS]


def test_a_vocabulary_is_the_same_in_another_process() -> None:
    code = (
        "import hashlib; from test_data_text import TEXTS; from anyview.data.text.vocabulary import learn; "
        "print(hashlib.sha256(learn(TEXTS).to_str().encode()).hexdigest())"
    )
    folder = str(Path(__file__).parent)
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True
    ).stdout.strip()
    assert found == hashlib.sha256(learn(TEXTS).to_str().encode()).hexdigest()


def test_another_text_is_encoded_alike_and_what_is_unknown_says_so() -> None:
    first, spec = encode(TEXTS)
    again, same = encode(TEXTS[:4], spec)
    assert same == spec
    assert torch.equal(again.values, first[torch.arange(4)].values)
    other, _ = encode(["ЖЖЖ"], spec)
    assert spec["unknown"] in other.values.tolist()


def test_a_text_of_nothing_is_one_unknown_token() -> None:
    _, spec = encode(TEXTS)
    ids, cut = numbers(["", "  \n", "cat"], spec)
    assert ids.length.min() == 1
    assert ids.values[:2].tolist() == [spec["unknown"]] * 2
    assert cut == 0
    assert len(numbers([], spec)[0]) == 0


def test_long_texts_are_cut_and_counted() -> None:
    spec = fit(TEXTS, max_length=3)
    ids, cut = numbers(["the cat sat on the mat", "cat"], spec)
    assert ids.length.tolist()[0] == 3
    assert cut == 1
    with pytest.raises(InputError, match="tokens kept"):
        fit(TEXTS, max_length=0)


def test_the_vocabulary_grows_with_the_corpus_up_to_its_limit() -> None:
    corpus = [" ".join(f"w{i * j % 997}x{j}" for j in range(60)) for i in range(1, 400)]
    assert fit(TEXTS)["vocabulary"] <= 256 < fit(corpus)["vocabulary"] <= 8000
    assert learn(corpus, 300).get_vocab_size() == 300


def test_a_tokenizer_file_can_be_taken_instead(tmp_path: Path) -> None:
    learn(TEXTS).save(str(tmp_path / "tokenizer.json"))
    assert spec_of_file(tmp_path / "tokenizer.json")["tokenizer"] == fit(TEXTS)["tokenizer"]
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match=r"broken\.json cannot be read"):
        spec_of_file(tmp_path / "broken.json")


def test_lines_lists_and_frames_hold_the_same(tmp_path: Path) -> None:
    import pandas as pd

    (tmp_path / "a.txt").write_text("\n\n".join(TEXTS), encoding="utf-8")
    pd.DataFrame({"n": range(len(TEXTS)), "text": TEXTS}).to_csv(tmp_path / "b.csv", index=False)
    places = [str(tmp_path / "a.txt"), str(tmp_path / "b.csv"), TEXTS, pd.DataFrame({"remark": TEXTS})]
    opened = [open_data(place) for place in places]
    assert {d.modality for d in opened} == {"text"}
    assert all(texts_of(d) == texts_of(opened[0]) for d in opened)


def test_documents_in_folders_have_their_folder_as_class(tmp_path: Path) -> None:
    for i, name in enumerate(["pets", "cars"] * 6):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"{i}.txt").write_text(f"document {i} of {name}\nin two lines")
    (tmp_path / "cars" / "empty.txt").write_text("")
    (tmp_path / "cars" / "latin.txt").write_bytes("schön".encode("latin-1"))
    (tmp_path / "cars" / "notes.docx").write_bytes(b"PK")
    dataset = open_data(tmp_path)
    assert dataset.modality == "text"
    assert dataset.label_names == ["cars", "pets"]
    names = [dataset.label_names[k] for k in dataset.train.label]
    assert all(name in text for name, text in zip(names, texts_of(dataset)))
    reasons = {Path(s.path).name: s.reason for s in dataset.skipped}
    assert reasons == {
        "empty.txt": "is empty",
        "latin.txt": "is no text in UTF-8",
        "notes.docx": "is no text file",
    }


def test_files_called_train_and_test_are_splits_of_lines(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    assert {n: len(s) for n, s in open_data(tmp_path).splits.items()} == {
        "train": len(TEXTS),
        "test": len(TEXTS),
    }


def test_empty_and_null_rows_are_left_out_with_their_labels(tmp_path: Path) -> None:
    table = pa.table({"text": ["a cat", None, "", "a dog", " "], "label": [0, 1, 2, 1, 0]})
    pq.write_table(table, tmp_path / "train.parquet")
    dataset = open_data(tmp_path)
    assert texts_of(dataset) == ["a cat", "a dog"]
    assert dataset.train.label.tolist() == [0, 1]
    assert [s.path for s in dataset.skipped] == [f"train.parquet row {i}" for i in (1, 2, 4)]
    with pytest.raises(InputError, match="none could be read as text"):
        open_data(pa.table({"text": ["", None]}), modality="text")


def test_labels_come_from_the_named_column_and_with_objects() -> None:
    table = pa.table({"sentence": ["a cat sat", "a dog sat", "a car"], "topic": ["pets", "pets", "cars"]})
    assert open_data(table, label="topic").label_names == ["cars", "pets"]
    with pytest.raises(InputError, match="did you mean"):
        open_data(table, label="topics")
    pairs = open_data([("a cat", "pets"), ("a car", "cars"), ("a dog", "pets")])
    assert pairs.train.label.tolist() == [1, 0, 1]


def test_lists_of_words_are_put_together() -> None:
    assert (
        texts_of(open_data(pa.table({"tokens": [["a", "cat", "sat"], ["dogs", "run"]] * 4})))[0]
        == "a cat sat"
    )


def test_pairs_keep_their_sides_and_are_pretrained_on_as_sentences() -> None:
    table = pa.table(
        {
            "sentence1": ["a cat sat", "a dog ran", "a cat sat"],
            "sentence2": ["the cat", "a dog ran", None],
            "score": [4.5, 5.0, 0.0],
            "label": [1, 0, 1],
        }
    )
    dataset = open_data(table)
    batch = dataset.train.fetch(torch.tensor([1, 0]))
    assert decode(batch.x["first"], dataset.spec) == ["a dog ran", "a cat sat"]
    assert decode(batch.x["second"], dataset.spec) == ["a dog ran", "the cat"]
    assert batch.label.tolist() == [5.0, 4.5]
    sentences = dataset.pretraining.fetch(torch.arange(len(dataset.pretraining))).x
    assert isinstance(sentences, Ragged)
    assert decode(sentences, dataset.spec) == ["a cat sat", "a dog ran", "the cat"]
    assert open_data(table, label="label").train.label.tolist() == [1, 0]


def test_the_first_column_of_free_text_is_taken() -> None:
    long = [f"a long remark about thing number {i} and more" for i in range(8)]
    table = pa.table(
        {"id": [f"x{i}" for i in range(8)], "short": ["two words"] * 8, "remark": long, "de": long}
    )
    dataset = open_data(table)
    assert texts_of(dataset) == long
    assert "column remark" in dataset.notes


@pytest.mark.parametrize(
    "columns", [{"a": ["x", "y"], "n": [1, 2]}, {"city": ["Rome", "New York"], "size": [1.0, 2.0]}]
)
def test_tables_of_short_values_are_not_taken_for_text(columns) -> None:
    from anyview.data.found import look
    from anyview.data.readers.text import TextReader

    assert TextReader().claim(look(pa.table(columns))) == 0


def test_a_corpus_beside_its_queries_is_what_is_learned_from(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": TEXTS}), tmp_path / "corpus.parquet")
    pq.write_table(pa.table({"text": ["cat?"], "query_id": [0]}), tmp_path / "queries.parquet")
    pq.write_table(pa.table({"query_id": [0], "doc_id": [1]}), tmp_path / "qrels.parquet")
    dataset = open_data(tmp_path)
    assert set(dataset.splits) == {"corpus", "queries"}
    assert len(dataset.pretraining) == len(TEXTS)
