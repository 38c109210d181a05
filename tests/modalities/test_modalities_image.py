"""The image modality keeps its promises to methods, evaluation and the report."""

import pytest
import torch

from anyview.data.source import MemorySource
from anyview.errors import InputError
from anyview.modalities import modality

SPEC = {"shape": [3, 40, 40], "mean": [0.5, 0.4, 0.3], "std": [0.25, 0.2, 0.3]}


def test_pictures_undo_the_normalisation() -> None:
    image = modality("image")
    x = torch.randint(0, 256, (4, 3, 40, 40), dtype=torch.uint8)
    shown = image.picture(image.inputs(x, SPEC), SPEC)
    assert torch.equal(shown, x.permute(0, 2, 3, 1))


def test_raw_features_are_pixels_of_32_at_most() -> None:
    x = torch.randint(0, 256, (2, 3, 40, 40), dtype=torch.uint8)
    raw = modality("image").raw(MemorySource("image", SPEC, x), SPEC)(x)
    assert raw.shape == (2, 3 * 32 * 32)


def test_the_encoder_sees_the_size_of_the_views() -> None:
    seen = modality("image").seen(SPEC, {"size": 24})
    assert seen["shape"] == [3, 24, 24]
    assert modality("image").seen(SPEC, {"size": None})["shape"] == [3, 40, 40]


def test_methods_that_hide_tokens_get_an_encoder_that_can_drop_them() -> None:
    image = modality("image")
    name = image.default_encoder(SPEC, 1000, "tokens")
    assert image.encoder(name, SPEC).can_drop


def test_an_unknown_modality_names_the_nearest() -> None:
    with pytest.raises(InputError, match='did you mean "image"'):
        modality("imag")
