"""Encoders of every modality: names, inputs, and a config that builds them again."""

import pytest
import torch

from anyview.encoders import build, names
from anyview.encoders.registry import adapters, builders
from anyview.errors import InputError


def test_transformers_stand_for_every_modality() -> None:
    first, second = (build(f"{name}-nano", (3, 16, 16)) for name in ("vit", "transformer"))
    shapes = [{k: v.shape for k, v in e.state_dict().items()} for e in (first, second)]
    assert shapes[0] == shapes[1]


def test_names_of_a_modality_are_those_that_read_it() -> None:
    everything = set(names())
    assert "timm:NAME" in everything
    for name, builder in builders().items():
        assert name in everything
        for kind in builder.modalities:
            if kind != "any":
                assert name in names(kind)
    assert all(":" not in name for name in builders())
    assert "timm" in adapters("image")
    assert "timm" not in adapters("text")


def test_an_encoder_of_another_modality_is_refused_with_those_that_read_it() -> None:
    with pytest.raises(
        InputError, match="encoder resnet18 reads image, not stone; take one of: transformer-"
    ):
        build("resnet18", {"modality": "stone"})
    with pytest.raises(InputError, match="stone data is not cut into tokens"):
        build("transformer-nano", {"modality": "stone"})


def test_a_shape_alone_stands_for_images() -> None:
    shape, whole = build("convnet-s", (3, 8, 8), width=4), {"modality": "image", "shape": [3, 8, 8]}
    assert shape.config == build("convnet-s", whole, width=4).config
    again = build(**shape.config)
    again.load_state_dict(shape.state_dict())
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(again.eval()(x), shape.eval()(x))
