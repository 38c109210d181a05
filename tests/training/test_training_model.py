"""A model: embeds in order, comes back from its files, and has an untrained twin to be judged beside."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from anyview.data import open as open_data
from anyview.data.source import MemorySource
from anyview.errors import InputError
from anyview.evaluation.metrics import r2
from anyview.training.gather import gather, world_size
from anyview.training.model import Model
from anyview.training.plan import make_plan
from anyview.training.precision import autocast, has_bf16, pick_device, pick_precision
from anyview.training.supervised import train_supervised
from anyview.training.vectors import write_vectors


def pixels(n: int = 30, seed: int = 0, channels: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, 8, 8), dtype=torch.uint8, generator=generator)


def model_of(method: str = "simclr", x: torch.Tensor | None = None, **options: object) -> Model:
    plan = make_plan(method, pixels() if x is None else x, options=options)
    return Model(plan.method.encoder, plan.modality, plan.spec)


@pytest.mark.parametrize("method", ["simclr", "mae"])
def test_saved_and_loaded_embeds_the_same(method: str, tmp_path: Path) -> None:
    model, x = model_of(method), pixels()
    folder = model.save(tmp_path / "deep" / "saved")
    assert {p.name for p in folder.iterdir()} == {"config.json", "model.safetensors"}
    again = Model.load(folder)
    assert np.array_equal(model.embed(x), again.embed(x))
    assert again.spec == model.spec
    assert again.dim == model.dim
    assert again.run is None
    assert "Model(" in repr(again)


def test_embeddings_come_in_the_order_of_the_data() -> None:
    model, x = model_of(), pixels()
    vectors = model.embed(x)
    assert vectors.shape == (30, model.dim)
    assert vectors.dtype == np.float32
    order = torch.randperm(30)
    np.testing.assert_allclose(model.embed(x[order]), vectors[order], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.embed(x, batch_size=7), vectors, rtol=1e-4, atol=1e-5)
    one_by_one = np.concatenate([model.embed(x[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(one_by_one, vectors[:5], rtol=1e-4, atol=1e-5)


def test_little_is_padded_and_the_order_is_that_of_the_data() -> None:
    draw = np.random.default_rng(0)
    sentences = [" ".join(["word"] * n) for n in draw.integers(1, 60, 1000)]
    plan = make_plan("simclr", sentences)
    model, seen = Model(plan.method.encoder, plan.modality, plan.spec), []
    model.encoder.trunk.register_forward_pre_hook(lambda _, given: seen.append((given[0].shape, given[1])))
    vectors = model.embed(sentences, batch_size=64, precision="fp32")
    computed = sum(shape[0] * shape[1] for shape, _ in seen)
    real = sum(int(valid.sum()) for _, valid in seen)
    assert sum(shape[0] for shape, _ in seen) == 1000
    assert computed <= 1.1 * real  # 1.46 in the order in which they come
    alone = np.concatenate([model.embed([sentence], precision="fp32") for sentence in sentences[:20]])
    np.testing.assert_allclose(vectors[:20], alone, atol=1e-5)


def test_embedding_does_not_train() -> None:
    model = model_of()
    model.encoder.train()
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    first = model.embed(pixels())
    assert np.array_equal(first, model.embed(pixels()))
    assert all(torch.equal(v, before[k]) for k, v in model.encoder.state_dict().items())


def test_other_sizes_are_brought_to_the_size_of_training() -> None:
    model = model_of()
    large = torch.nn.functional.interpolate(pixels().float(), scale_factor=2, mode="nearest").byte()
    assert model.embed(large).shape == (30, model.dim)


def test_colours_become_what_files_become() -> None:
    model, colours = model_of(), pixels(channels=3)
    gray = [Image.fromarray(x.permute(1, 2, 0).numpy()).convert("L") for x in colours]
    assert np.array_equal(model.embed(colours), model.embed(np.stack([np.asarray(x) for x in gray])))
    coloured = model_of(x=colours)
    assert np.array_equal(coloured.embed(pixels()), coloured.embed(pixels().repeat(1, 3, 1, 1)))
    with pytest.raises(InputError, match="1 or 3 channels"):
        model.embed(pixels(channels=2))


def test_data_with_splits_needs_a_name() -> None:
    model = model_of()
    data = {"train": pixels(6), "test": pixels(4)}
    with pytest.raises(InputError, match="train, test"):
        model.embed(data)
    assert model.embed(data, split="test").shape[0] == 4
    with pytest.raises(InputError, match='did you mean "test"'):
        model.embed(data, split="tset")


def test_untrained_is_another_and_follows_its_seed() -> None:
    model, source = model_of(), open_data(pixels()).train
    for p in model.encoder.parameters():
        p.data += 0.05  # stands for training
    torch.manual_seed(1)
    first = model.untrained(source, seed=5)
    torch.manual_seed(2)
    second, other = model.untrained(source, seed=5), model.untrained(source, seed=6)
    x = pixels()
    assert np.array_equal(first.embed(x), second.embed(x))
    assert not np.allclose(first.embed(x), other.embed(x))
    assert not np.allclose(first.embed(x), model.embed(x))
    assert first.encoder.config == model.encoder.config


def test_untrained_norms_know_the_data() -> None:
    """An untrained encoder with norms at their start would be a straw man."""
    source = open_data(pixels(200)).train
    fresh = model_of(x=pixels(200)).untrained(source)
    norms = [m for m in fresh.encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert all(not torch.equal(m.running_var, torch.ones_like(m.running_var)) for m in norms)
    assert all(m.momentum == 0.1 for m in norms)
    assert not fresh.encoder.training


def test_raw_features_are_the_pixels_in_order() -> None:
    model, x = model_of(), pixels()
    raw = model.raw(open_data(x).train, batch_size=7)(open_data(x).train)
    assert raw.shape == (30, 64)
    flat = x.flatten(1).float()
    expected = (flat / 255 - model.spec["mean"][0]) / model.spec["std"][0]
    torch.testing.assert_close(raw, expected, atol=1e-4, rtol=1e-4)


def test_supervised_learns_what_is_easy() -> None:
    label = torch.arange(60) % 2
    x = (pixels(60) // 4) + (label * 160).to(torch.uint8).view(-1, 1, 1, 1)
    data = open_data(
        {"train": (x[:30], label[:30]), "validation": (x[30:40], label[30:40]), "test": (x[40:], label[40:])}
    )
    model = model_of(x=x)
    before = {k: v.clone() for k, v in model.encoder.state_dict().items()}
    splits = [data.splits[name] for name in ("train", "validation", "test")]
    answer, truth = train_supervised(model, *splits, seed=0, max_steps=24)
    assert answer.shape == (20, 2)
    assert torch.equal(truth, label[40:])
    assert answer.argmax(1).eq(truth).double().mean() > 0.8
    assert torch.equal(answer, train_supervised(model, *splits, seed=0, max_steps=24)[0])
    assert all(torch.equal(v, before[k]) for k, v in model.encoder.state_dict().items())


def test_supervised_learns_numbers_too() -> None:
    level = torch.rand(200, generator=torch.Generator().manual_seed(0))
    x = (pixels(200) // 8) + (level * 220).to(torch.uint8).view(-1, 1, 1, 1)
    model, target = model_of(x=x), 1000 + 50 * level
    target[::7] = torch.nan
    splits = [MemorySource("image", model.spec, x[part], target[part])
              for part in (slice(0, 120), slice(120, 150), slice(150, 200))]  # fmt: skip
    answer, truth = train_supervised(model, *splits, seed=0, max_steps=120)
    assert torch.equal(truth, target[150:][target[150:].isfinite()])
    assert answer.shape == truth.shape
    assert r2(answer, truth) > 0.5


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "config.json").unlink(), "no encoder"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 100), "model.safetensors cannot be read"),
        (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "no encoder's config"),
        (lambda f: edit(f, lambda c: c.update(width=8)), "does not fit"),
        (lambda f: edit(f, lambda c: c.update(name="resnet18")), "does not fit"),
        (lambda f: edit(f, lambda c: c.pop("anyview")), "does not say what it was trained on"),
        (lambda f: edit(f, lambda c: c["anyview"].update(modality="smell")), 'no modality "smell"'),
        (lambda f: edit(f, lambda c: c["anyview"].update(modality=["image"])), "modality"),
        (lambda f: edit(f, lambda c: c["anyview"].update(spec={"shape": [1, 8, 8]})), "spec"),
        (lambda f: edit(f, lambda c: c["anyview"].update(spec="small")), "spec"),
    ],
)
def test_a_broken_encoder_is_one_line(tmp_path: Path, damage, says: str) -> None:
    model_of().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError) as caught:
        Model.load(tmp_path).embed(pixels(2))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def edit(folder: Path, change) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("method: {name: simclr}\n")
    with pytest.raises(InputError, match=f"anyview resume {tmp_path}"):
        Model.load(tmp_path)


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_vectors_are_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    source = open_data((pixels(4), torch.arange(4))).train
    vectors, path = np.random.default_rng(0).random((4, 3)).astype(np.float32), tmp_path / f"v{suffix}"
    write_vectors(path, {"train": (vectors, source)})
    whole = path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anyview.files.os.fsync", full)
    with pytest.raises(Exception, match="No space left"):
        write_vectors(path, {"train": (vectors + 1, source)})
    assert path.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_bf16_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert pick_precision("auto", cpu) == ("bf16" if has_bf16(cpu) else "fp32")
    assert pick_precision("bf16", cpu) == "bf16"
    assert pick_precision("fp32", cpu) == "fp32"
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert not has_bf16(cpu)
    assert pick_precision("auto", cpu) == "fp32"
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert pick_precision("auto", cpu) == "bf16"


def test_autocast_lowers_only_when_told() -> None:
    net, x, cpu = nn.Linear(4, 4), torch.ones(2, 4), torch.device("cpu")
    with autocast("bf16", cpu):
        assert net(x).dtype == torch.bfloat16
    with autocast("fp32", cpu):
        assert net(x).dtype == torch.float32


def test_unknown_devices_are_one_line() -> None:
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("gpu", "cpu:x", ""):
        with pytest.raises(InputError, match="no device"):
            pick_device(name)


def test_gather_is_the_identity_for_one_process() -> None:
    z = torch.randn(2, 3, 4, requires_grad=True)
    assert world_size() == 1
    assert gather(z) is z
