"""Encoders of other libraries: what they give through the same door is what they give alone."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import anyview as av
from anyview.cli.main import main
from anyview.errors import InputError

timm = pytest.importorskip("timm")
NAME = "test_resnet"  # timm's smallest, made for tests: 160 px


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Labelled pixels in a file, and a file with the weights of timm's network."""
    folder = tmp_path_factory.mktemp("photos")
    x = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "x.npz", x=x, y=np.arange(24) % 2)
    torch.manual_seed(3)
    save_file(timm.create_model(NAME).state_dict(), folder / "w.safetensors")
    return folder


def test_a_network_of_timm_gives_what_timm_gives(photos):
    model = av.load(f"timm:{NAME}", photos / "x.npz", weights=str(photos / "w.safetensors"))
    config = timm.get_pretrained_cfg(NAME)
    assert model.spec["shape"] == list(config.input_size)
    assert model.spec["mean"] == pytest.approx(config.mean)
    peer = timm.create_model(NAME, num_classes=0).eval()
    peer.load_state_dict(
        {k: v for k, v in load_file(photos / "w.safetensors").items() if not k.startswith("fc.")}
    )
    source = model.open(photos / "x.npz")
    pixels = source.fetch(torch.arange(24)).x.float() / 255
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (config.mean, config.std))
    with torch.no_grad():
        expected = peer((pixels - mean) / std)
    np.testing.assert_allclose(model.embed_source(source).numpy(), expected.numpy(), atol=1e-4, rtol=1e-4)


def test_of_an_image_is_seen_what_the_weights_saw(tmp_path):
    """Enlarged, and its middle cut out, as timm's own transform does it."""
    from timm.data import create_transform

    grain = torch.rand(1, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(grain, (240, 400), mode="bicubic").clamp(0, 1)[0]
    picture = Image.fromarray((255 * picture).byte().permute(1, 2, 0).numpy())
    (tmp_path / "photos").mkdir()
    for name in "ab":
        picture.save(tmp_path / "photos" / f"{name}.png")
    save_file(timm.create_model(NAME).state_dict(), tmp_path / "w.safetensors")
    given = {"weights": str(tmp_path / "w.safetensors")}
    config = timm.get_pretrained_cfg(NAME)
    assert config.crop_pct < 1
    shown = create_transform(
        config.input_size, crop_pct=config.crop_pct, interpolation="bicubic", mean=(0,) * 3, std=(1,) * 3
    )
    expected = 255 * shown(picture)

    def seen(**options):
        model = av.load(f"timm:{NAME}", tmp_path / "photos", **given, **options)
        return model.open(tmp_path / "photos").fetch(torch.arange(1)).x[0].float()

    assert (seen() - expected).abs().mean() < 1
    assert (seen(size=160) - expected).abs().mean() > 2  # a size that is asked for is of the whole image


@pytest.mark.parametrize("needed", [0.9999, 1.0])
def test_vectors_are_of_the_quick_format_only_where_it_is_near(photos, monkeypatch, needed):
    """Figures that others published are of fp32, so that is what ``evaluate`` takes."""
    monkeypatch.setattr("anyview.training.model.has_bf16", lambda device: True)
    monkeypatch.setattr("anyview.training.model.NEAR", needed)
    model = av.load(f"timm:{NAME}", photos / "x.npz", weights=str(photos / "w.safetensors"))
    source = model.open(photos / "x.npz")
    exact, found = model.embed_source(source).numpy(), model.embed(source)
    assert np.array_equal(exact, model.embed(source, precision="fp32"))
    assert np.array_equal(found, exact) == (needed == 1.0)
    cosine = (found * exact).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosine.min() > 0.9999


def test_random_weights_read_data_as_it_is_and_follow_the_seed(photos):
    first, same, other = (
        av.load(f"timm:{NAME}", photos / "x.npz", weights="random", seed=seed).embed(photos / "x.npz")
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, same)
    assert not np.allclose(first, other)
    model = av.load(f"timm:{NAME}", photos / "x.npz", weights="random", size=16)
    assert model.spec["shape"] == [3, 16, 16]


def test_the_same_commands_judge_and_embed_it(photos, tmp_path, capsys):
    given = ["--weights", str(photos / "w.safetensors"), "--size", "32"]
    data = str(photos / "x.npz")
    assert main(["embed", f"timm:{NAME}", data, *given, "--out", str(tmp_path / "v.npy")]) == 0
    model = av.load(f"timm:{NAME}", data, weights=given[1], size=32)
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), model.embed(data), atol=1e-6)
    assert main(["evaluate", f"timm:{NAME}", data, *given, "--protocol", "knn"]) == 0
    said = capsys.readouterr().out
    assert "untrained" in said
    assert "verdict" in said


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (f"timm:{NAME}", {}, "comes without weights; name a safetensors file with --weights"),
        (f"timm:{NAME}", {"weights": "none.safetensors"}, "there is no file none.safetensors"),
        ("timm:resnet19", {"weights": "random"}, 'no timm model "resnet19"; did you mean'),
        ("tim:resnet18", {}, "no run folder tim:resnet18"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(photos, name, options, says):
    with pytest.raises(InputError, match=r"^[^\n]*$") as error:
        av.load(name, photos / "x.npz", **options)
    assert says in str(error.value)


def test_data_must_be_named_and_weights_of_a_folder_are_its_own(photos):
    with pytest.raises(InputError, match="takes the size of its input from data"):
        av.load(f"timm:{NAME}", weights="random")
    with pytest.raises(InputError, match="has its weights and size in its folder"):
        av.load(photos, weights="random")
