"""Encoders of text: padding changes nothing, order counts where it should, and others' models are read whole."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from anyview.data.batch import Ragged
from anyview.data.text.vocabulary import encode, learn, spec_of_file
from anyview.encoders import registry
from anyview.encoders.tokenizers import tokenizer
from anyview.errors import InputError
from anyview.modalities import modality

INPUT = {
    "modality": "text",
    "vocabulary": 50,
    "max_length": 64,
    "pad": 0,
    "mask": 2,
    "before": [3],
    "after": [4, 5],
}
TEXTS = ["the cat sat on the mat", "a dog", "dogs and cats run in the park with a ball"] * 10


def some(lengths: list[int]) -> Ragged:
    torch.manual_seed(0)
    return Ragged(torch.randint(6, 50, (sum(lengths),)), torch.tensor(lengths))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny BERT with random weights and a tokenizer that frames texts, as transformers saves them."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import processors

    folder = tmp_path_factory.mktemp("bert")
    own = learn(TEXTS, 120)
    own.add_special_tokens(["[CLS]", "[SEP]"])
    special = [(name, own.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    own.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    own.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=own.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=40,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", ["transformer-nano", "bag-s"])
def test_a_text_alone_and_beside_a_longer_one_are_embedded_alike(name: str) -> None:
    torch.manual_seed(0)
    encoder = registry.build(name, INPUT).eval()
    x = some([1, 3, 64, 9, 2, 30] * 8)
    together = encoder(x)
    for i in range(6):
        torch.testing.assert_close(encoder(x[torch.tensor([i])])[0], together[i], atol=1e-5, rtol=1e-5)


def test_the_bag_is_the_mean_of_its_tokens_in_any_order() -> None:
    encoder = registry.build("bag-s", INPUT)
    x = some([4, 7])
    table = encoder.tokenizer.table.weight * encoder.dim**0.5
    wanted = torch.stack([table[part].mean(0) for part in x.unpack()])
    torch.testing.assert_close(encoder(x), wanted)
    turned = Ragged.of([part.flip(0) for part in x.unpack()])
    torch.testing.assert_close(encoder(turned), wanted)
    transformer = registry.build("transformer-nano", INPUT).eval()
    assert not torch.allclose(transformer(turned), transformer(x), atol=1e-4)


def test_masked_tokens_do_not_reach_the_bag() -> None:
    encoder = registry.build("bag-s", INPUT)
    x = some([4, 7])
    mask = torch.zeros(2, 7, dtype=torch.bool)
    mask[0, 1] = mask[1, 3] = True
    other = x.values.clone()
    other[[1, 7]] = 6
    for masked in ("drop", "replace"):
        one, two = (encoder.tokens(Ragged(v, x.length), mask, masked) for v in (x.values, other))
        torch.testing.assert_close(one.values[one.valid], two.values[two.valid])
        assert int(one.valid.sum()) == (9 if masked == "drop" else 11)


def test_targets_are_the_tokens_and_words_are_as_large_as_positions() -> None:
    torch.manual_seed(0)
    cut = tokenizer({**INPUT, "vocabulary": 5000}, 96)
    x = some([4, 7])
    targets, tokens = cut.targets(x), cut.embed(x)
    assert (targets.kind, targets.size) == ("categorical", 5000)
    assert torch.equal(targets.values[tokens.valid], x.values)
    assert tokens.coords[1, :, 0].tolist() == list(range(7))
    assert abs(float(cut.vectors(torch.arange(5000)).std()) - 1) < 0.05
    with pytest.raises(InputError, match="leave patch out"):
        tokenizer(INPUT, 96, 4)
    with pytest.raises(InputError, match="vocabulary"):
        tokenizer({"modality": "text"}, 96)


@pytest.mark.parametrize("name", ["transformer-nano", "bag-s"])
def test_saved_and_loaded_is_the_same(name: str, tmp_path: Path) -> None:
    encoder = registry.build(name, INPUT).eval()
    registry.save(encoder, tmp_path)
    x = some([4, 7])
    assert torch.equal(registry.load(tmp_path)[0](x), encoder(x))


def test_a_model_of_transformers_gives_what_transformers_gives(folder: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import BertModel

    ids, spec = encode(TEXTS[:3], spec_of_file(folder / "tokenizer.json", 32))
    encoder = modality("text").encoder(f"hf:{folder}", spec).eval()
    own, reference = (
        Tokenizer.from_file(str(folder / "tokenizer.json")),
        BertModel.from_pretrained(folder).eval(),
    )
    together = encoder(ids)
    for text, vector in zip(TEXTS, together):
        hidden = reference(input_ids=torch.tensor([own.encode(text).ids])).last_hidden_state
        torch.testing.assert_close(vector, hidden[0].mean(0), atol=1e-5, rtol=1e-5)
    first, last = encoder.tokens(ids, layers=[0, 2])
    assert torch.equal(first.valid.sum(1), ids.length)
    torch.testing.assert_close(last.values, encoder.tokens(ids).values)
    mask = torch.zeros_like(first.valid)
    mask[:, 0] = True
    changed = encoder.tokens(ids, mask, "replace", [0])[0].values - first.values
    assert (changed[:, 0].abs().sum(1) > 0).all()
    assert changed[:, 1:].abs().max() == 0
    with pytest.raises(InputError, match="cannot drop"):
        encoder.tokens(ids, mask)


def sentence_encoder(folder: Path, into: Path, *more: str, pooling: str = "mean_tokens") -> Path:
    """The same model with the files that sentence-transformers writes beside it."""
    root = Path(shutil.copytree(folder, into / "sentences"))
    names = ["Transformer", "Pooling", *more]
    parts = [
        {
            "idx": i,
            "name": str(i),
            "path": f"{i}_{name}" if i else "",
            "type": f"sentence_transformers.models.{name}",
        }
        for i, name in enumerate(names)
    ]
    (root / "modules.json").write_text(json.dumps(parts))
    (root / "1_Pooling").mkdir()
    modes = {
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_max_tokens": False,
    }
    (root / "1_Pooling" / "config.json").write_text(json.dumps(modes | {f"pooling_mode_{pooling}": True}))
    return root


@pytest.mark.parametrize(("more", "pooling"), [((), "cls_token"), (("Normalize",), "mean_tokens")])
def test_a_sentence_encoder_pools_as_it_was_saved(folder: Path, tmp_path: Path, more, pooling) -> None:
    """Against the transformer itself, pooled by hand as sentence-transformers does."""
    from transformers import BertModel

    spec = {**spec_of_file(folder / "tokenizer.json"), "max_length": 30}
    encoder = modality("text").encoder(
        f"hf:{sentence_encoder(folder, tmp_path, *more, pooling=pooling)}", spec
    )
    peer = BertModel.from_pretrained(folder).eval()
    for text in TEXTS[:3]:
        ids = encode([text], spec)[0]
        whole = torch.tensor([[*spec["before"], *ids.values.tolist(), *spec["after"]]])
        with torch.no_grad():
            hidden = peer(whole).last_hidden_state[0]
            got = encoder.eval()(ids)[0]
        expected = hidden[0] if pooling == "cls_token" else hidden.mean(0)
        expected = expected / expected.norm() if more else expected
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    registry.save(encoder, tmp_path / "saved")
    torch.testing.assert_close(registry.load(tmp_path / "saved")[0](ids)[0], got)


def test_sentence_encoders_with_other_parts_are_refused(folder: Path, tmp_path: Path) -> None:
    spec = {**spec_of_file(folder / "tokenizer.json"), "max_length": 30}
    cases = [
        (("Dense",), "mean_tokens", "made of Transformer, Pooling, Dense"),
        ((), "max_tokens", "pools by"),
    ]
    for number, (more, pooling, says) in enumerate(cases):
        root = sentence_encoder(folder, tmp_path / str(number), *more, pooling=pooling)
        with pytest.raises(InputError, match=says):
            modality("text").encoder(f"hf:{root}", spec)
    (root / "modules.json").write_text("[{}]")
    with pytest.raises(InputError, match="cannot be read as parts"):
        modality("text").encoder(f"hf:{root}", spec)


def test_a_model_of_transformers_is_saved_without_its_folder(folder: Path, tmp_path: Path) -> None:
    ids, spec = encode(TEXTS[:3], spec_of_file(folder / "tokenizer.json", 32))
    encoder = modality("text").encoder(f"hf:{folder}", spec, pool="cls").eval()
    registry.save(encoder, tmp_path)
    hidden = folder.rename(folder.with_name("gone"))
    try:
        loaded, _ = registry.load(tmp_path)
        fresh = registry.build(**{k: v for k, v in encoder.config.items() if k not in registry.START})
    finally:
        hidden.rename(folder)
    assert torch.equal(loaded(ids), encoder(ids))
    assert not torch.allclose(fresh.eval()(ids), encoder(ids), atol=1e-3)
    assert all(p.grad is None for p in encoder.parameters())
    encoder(ids).sum().backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None] == []


def test_models_that_cannot_be_read_say_why(folder: Path, tmp_path: Path) -> None:
    import json

    text = modality("text")
    _, spec = encode(TEXTS[:3], spec_of_file(folder / "tokenizer.json", 32))
    with pytest.raises(InputError, match=r"no config\.json"):
        text.encoder(f"hf:{tmp_path}", spec)
    with pytest.raises(InputError, match="38 tokens at most; cut the texts with --size 38"):
        text.encoder(f"hf:{folder}", {**spec, "max_length": 39})
    with pytest.raises(InputError, match="by its own tokenizer"):
        text.encoder(f"hf:{folder}", {**spec, "vocabulary": 9999})
    config = json.loads((folder / "config.json").read_text())
    for extra, why in (
        ({"auto_map": {"AutoModel": "mine.Model"}}, "never run"),
        ({"is_encoder_decoder": True}, "encoder-decoder"),
        ({"model_type": "nothing"}, "cannot build"),
        ({}, "cannot build"),  # its weights are missing, or are no safetensors
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | extra))
        (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
        with pytest.raises(InputError, match=why):
            text.encoder(f"hf:{tmp_path}", spec)
