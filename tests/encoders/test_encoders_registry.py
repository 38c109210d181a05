"""Encoders by name, and files: a round trip is bit-equal, and what does not fit is refused in a line."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from anyview.encoders import build, load, names, save
from anyview.encoders.tokenizers.image import default_patch
from anyview.errors import InputError, RunError

INPUT = {"modality": "image", "shape": [3, 16, 16]}
TINY = {"convnet-s": {"width": 4}, "resnet18": {"width": 4}, "vit-nano": {"dim": 12, "depth": 1}}


def test_every_name_builds():
    with torch.device("meta"):  # shapes only
        built = {name: build(name, (3, 32, 32)) for name in names("image") if ":" not in name}
    assert built["resnet18-w32"].dim == 256
    sizes = {name: sum(p.numel() for p in encoder.parameters()) / 1e6 for name, encoder in built.items()}
    assert 0.1 < sizes["convnet-s"] < 0.3
    assert 5 < sizes["vit-tiny"] < 6
    assert 80 < sizes["vit-base"] < 90


@pytest.mark.parametrize(("size", "patch"), [(8, 2), (12, 2), (28, 4), (48, 4), (64, 8), (128, 8), (224, 16)])
def test_patch_follows_the_image(size, patch):
    assert default_patch((3, size, size)) == patch
    assert build("vit-nano", (3, size, size), dim=12, depth=1).tokenizer.patch == patch


def test_options_override():
    assert build("vit-nano", (3, 32, 32), patch=8).tokenizer.grid == (4, 4)
    assert build("resnet18", (3, 32, 32), width=4).stride == 8
    assert build("resnet18", (3, 96, 96), width=4).stride == 32
    assert build("resnet18", (3, 96, 96), width=4, stem="small").stride == 8


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        ("resnet81", (3, 32, 32), {}, 'no encoder "resnet81"; did you mean "resnet18"'),
        ("vit-nano", (3, 32, 32), {"pach": 4}, 'no option "pach" for encoder vit-nano; did you mean "patch"'),
        ("convnet-s", (3, 32, 32), {"patch": 4}, 'no option "patch" for encoder convnet-s'),
        ("vit-nano", (3, 32, 32), {"depth": "two"}, "option depth of encoder vit-nano cannot be 'two'"),
        ("vit-nano", (3, 32, 32), {"heads": True}, "option heads of encoder vit-nano cannot be True"),
        ("convnet-s", (3, 32, 32), {"width": 0}, "option width of encoder convnet-s cannot be 0"),
        ("vit-nano", (3, 32, 32), {"mlp_ratio": float("nan")}, "option mlp_ratio .* cannot be nan"),
        ("convnet-s", (32, 32), {}, "images have a shape"),
        ("convnet-s", (3, 0, 32), {}, "images have a shape"),
    ],
)
def test_what_cannot_be_built(name, shape, options, message):
    with pytest.raises(InputError, match=message):
        build(name, shape, **options)


@pytest.mark.parametrize("name", TINY)
def test_round_trip_is_bit_equal(name, tmp_path):
    encoder = build(name, (3, 16, 16), **TINY[name]).to(memory_format=torch.channels_last)
    encoder(torch.randn(8, 3, 16, 16))  # moves the statistics of batch norm
    save(encoder, tmp_path / "encoder", extra={"spec": {"shape": [3, 16, 16]}})
    again, extra = load(tmp_path / "encoder")
    assert extra == {"spec": {"shape": [3, 16, 16]}}
    assert again.config == encoder.config == {"name": name, "input": INPUT, **TINY[name]}
    assert not again.training
    for key, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key
    assert sorted(p.name for p in (tmp_path / "encoder").iterdir()) == ["config.json", "model.safetensors"]


def test_tied_tensors_are_saved(tmp_path):
    encoder = build("vit-nano", (3, 16, 16), dim=12, depth=2)
    encoder.trunk.blocks[1] = encoder.trunk.blocks[0]
    save(encoder, tmp_path)
    again, _ = load(tmp_path)
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(again(x), encoder.eval()(x))


def test_saved_timm_encoders_do_not_ask_for_their_first_weights(tmp_path):
    pytest.importorskip("timm")
    encoder = build("timm:resnet18", (3, 32, 32))
    state = {**encoder.network.state_dict(), "fc.weight": torch.zeros(10, 512)}  # a classifier is left out
    save_file(state, tmp_path / "w.safetensors")
    first = build("timm:resnet18", (3, 32, 32), weights=str(tmp_path / "w.safetensors"))
    torch.testing.assert_close(first.network.conv1.weight, encoder.network.conv1.weight)
    (tmp_path / "w.safetensors").unlink()
    save(first, tmp_path)
    again, _ = load(tmp_path)
    assert torch.equal(again.network.conv1.weight, first.network.conv1.weight)
    with pytest.raises(InputError, match="is missing"):
        build("timm:resnet18", (3, 32, 32), weights=str(tmp_path / "w.safetensors"))


@pytest.fixture
def folder(tmp_path):
    save(build("convnet-s", (3, 16, 16), width=4), tmp_path)
    return tmp_path


def test_short_and_hostile_weights_are_refused(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    huge = (2**62).to_bytes(8, "little") + whole[8:]
    for content in (whole[:-10], whole[:5], b"", b"\x80\x04pickle" * 20, huge):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"model\.safetensors cannot be read as safetensors") as caught:
            load(folder)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        load(folder)


def test_weights_that_do_not_fit_name_the_first_wrong_tensor(folder):
    path = folder / "model.safetensors"
    state = load_file(path)
    first = "stages.0.0.weight"
    save_file({k: v for k, v in state.items() if k != first}, path)
    with pytest.raises(InputError, match=f"has no tensor {first}"):
        load(folder)
    save_file({**state, first: torch.zeros(4, 1, 3, 3)}, path)
    with pytest.raises(InputError, match=rf"{first} is \(4, 1, 3, 3\), not \(4, 3, 3, 3\)"):
        load(folder)
    save_file({**state, "zzz": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="holds zzz"):
        load(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "no encoder's config"),
        ('{"name": "convnet-s"}', "no encoder's config"),
        ('{"name": "convnet-s", "input": {"shape": [1, 1, 1]}}', "no encoder's config"),
        (
            '{"name": "convnet-s", "input": {"modality": "image", "shape": ["a", 1, 1]}}',
            "images have a shape",
        ),
        ('{"name": "convnet-x", "input": {"modality": "image", "shape": [3, 16, 16]}}', "no encoder"),
        (
            '{"name": "convnet-s", "input": {"modality": "image", "shape": [3, 16, 16]}, "x": 1}',
            'no option "x"',
        ),
    ],
)
def test_broken_configs(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match=message):
        load(folder)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match=r"config\.json is missing"):
        load(tmp_path / "nothing")


def test_a_failed_write_leaves_the_old_files(folder, monkeypatch):
    before = (folder / "model.safetensors").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match=r"could not be written.*No space left"):
        save(build("convnet-s", (3, 16, 16), width=8), folder)
    assert (folder / "model.safetensors").read_bytes() == before
    assert json.loads((folder / "config.json").read_text())["width"] == 4
    assert len(list(folder.iterdir())) == 2
