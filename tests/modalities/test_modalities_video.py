"""The video modality keeps its promises to methods, evaluation and the report."""

import numpy as np
import torch

from anyview.data.source import MemorySource
from anyview.modalities import modality
from anyview.training.plan import make_plan
from anyview.training.run import train

SPEC = {"shape": [3, 4, 40, 48], "mean": [0.5] * 3, "std": [0.25] * 3}
video = modality("video")


def test_raw_features_are_mean_and_difference() -> None:
    x = torch.randint(0, 256, (2, 3, 4, 40, 48), dtype=torch.uint8)
    raw = video.raw(MemorySource("video", SPEC, x), SPEC)(x)
    assert raw.shape == (2, 2 * 3 * 32 * 32)
    still = x[:, :, :1].expand(-1, -1, 4, -1, -1)
    parts = video.raw(MemorySource("video", SPEC, x), SPEC)(still).view(2, 2, 3, -1)
    assert float(parts[:, 1].abs().max()) == 0  # nothing moves
    backwards = video.raw(MemorySource("video", SPEC, x), SPEC)(x.flip(2))
    assert torch.allclose(backwards, raw, atol=1e-5)


def test_pictures_are_squares_of_the_middle_frame() -> None:
    x = torch.randint(0, 256, (2, 3, 4, 40, 48), dtype=torch.uint8)
    shown = video.picture(video.inputs(x, SPEC), SPEC)
    assert shown.shape == (2, 48, 48, 3)
    assert torch.equal(shown[:, 4:44], x[:, :, 2].permute(0, 2, 3, 1))


def test_the_encoder_sees_what_the_views_give() -> None:
    assert video.seen(SPEC, {"size": 24, "frames": 2})["shape"] == [3, 2, 24, 24]
    assert video.seen(SPEC, {"size": None})["shape"] == [3, 4, 40, 40]


def test_methods_that_hide_tokens_get_an_encoder_that_can_drop_them() -> None:
    assert video.encoder(video.default_encoder(SPEC, 1000, "tokens"), SPEC).can_drop
    assert not video.encoder(video.default_encoder(SPEC, 1000, "two_views"), SPEC).can_drop


def test_a_run_on_arrays_to_vectors(tmp_path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (8, 4, 12, 12, 3), dtype=np.uint8)
    plan = make_plan("mae", x, options={"epochs": 1, "batch_size": 4, "health": False})
    model = train(plan, tmp_path)
    vectors = model.embed(x)
    assert vectors.shape == (8, model.dim)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(model.embed(x[2:3])[0], vectors[2], atol=2e-2)  # bf16 where there is
