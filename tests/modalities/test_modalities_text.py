"""Text end to end: raw features, pairs, and a run from a file to embeddings."""

from pathlib import Path

import pytest
import torch

import anyview as av
from anyview.data import open as open_data
from anyview.data.batch import Ragged
from anyview.errors import InputError
from anyview.modalities import modality

PETS = [
    f"the {a} {b} in the {c}" for a in ("cat", "dog") for b in ("sleeps", "eats") for c in ("house", "yard")
]
CARS = [f"a {a} {b} on a {c}" for a in ("car", "bus") for b in ("stops", "turns") for c in ("road", "bridge")]
LABELLED = [(text, 0) for text in PETS * 4] + [(text, 1) for text in CARS * 4]


def test_raw_features_are_latent_semantics_of_train() -> None:
    dataset = open_data(LABELLED)
    raw = modality("text").raw(dataset.train, dataset.spec)
    x = raw(dataset.train.fetch(torch.tensor([0, 1, 40, 41])).x)
    assert x.dtype == torch.float32
    unit = torch.nn.functional.normalize(x, dim=1)
    likeness = unit @ unit.T
    assert likeness[0, 1] > 0.5
    assert likeness[2, 3] > 0.5
    assert likeness[0, 2] < 0.2
    other = open_data(["entirely other words", "the cat eats"], like=dataset.spec)
    assert raw(other.train.fetch(torch.arange(2)).x).shape == (2, x.shape[1])


def test_raw_features_of_pairs_are_fitted_on_both_sides() -> None:
    import pyarrow as pa

    table = pa.table({"sentence1": PETS, "sentence2": CARS, "score": [0.5] * len(PETS)})
    dataset = open_data(table)
    text = modality("text")
    first, second = text.sides(dataset.train.fetch(torch.arange(3)).x)
    raw = text.raw(dataset.train, dataset.spec)
    assert (raw(first).norm(dim=1) > 0.5).all()
    assert (raw(second).norm(dim=1) > 0.5).all()
    assert text.sides(first) is None
    with pytest.raises(InputError, match="pairs"):
        text.inputs(dataset.train.fetch(torch.arange(3)).x, dataset.spec)


@pytest.mark.parametrize(
    "change", [{"tokenizer": "{"}, {"mask": 10_000}, {"max_length": 0}, {"vocabulary": 2}]
)
def test_a_spec_of_no_text_is_seen(change) -> None:
    spec = open_data(LABELLED).spec
    modality("text").check(spec)
    with pytest.raises((KeyError, TypeError, ValueError)):
        modality("text").check(spec | change)


def test_from_a_file_to_embeddings_and_back(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("\n".join(PETS + CARS))
    model = av.pretrain(
        "simclr", tmp_path / "lines.txt", encoder="bag-s", epochs=2, out=tmp_path / "run", quiet=True
    )
    vectors = model.embed(["the cat eats", "a car turns on a bridge"])
    assert vectors.shape == (2, 128)
    again = av.load(tmp_path / "run").embed(["the cat eats", "a car turns on a bridge"])
    assert (again == vectors).all()


def test_texts_of_one_batch_do_not_change_each_other() -> None:
    dataset = open_data(LABELLED)
    encoder = modality("text").encoder("transformer-nano", dataset.spec).eval()
    long = dataset.train.fetch(torch.tensor([0])).x
    longer = Ragged(long.values.repeat(20), long.length * 20)
    both = encoder(Ragged.cat([long, longer]))
    torch.testing.assert_close(both[0], encoder(long)[0], atol=1e-5, rtol=1e-5)


def test_an_encoder_with_a_tokenizer_of_its_own_has_the_data_read_by_it(tmp_path: Path) -> None:
    from anyview.data.text.vocabulary import learn

    learn(PETS, 60).save(str(tmp_path / "tokenizer.json"))
    demanded = modality("text").demanded(f"hf:{tmp_path}")
    assert demanded is not None
    assert demanded["vocabulary"] <= 60
    assert modality("text").demanded("transformer-nano") is None
