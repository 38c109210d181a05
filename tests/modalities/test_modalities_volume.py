"""The volume modality keeps its promises to methods, evaluation and the report."""

import numpy as np
import torch

from anyview.data import open as open_data
from anyview.data.source import MemorySource
from anyview.modalities import modality
from anyview.training.plan import make_plan
from anyview.training.run import train

SPEC = {"shape": [1, 20, 40, 30], "mean": [0.5], "std": [0.25], "cut": False}
volume = modality("volume")


def test_raw_features_are_voxels_of_16_at_most() -> None:
    x = torch.randint(0, 256, (2, 1, 20, 40, 30), dtype=torch.uint8)
    assert volume.raw(MemorySource("volume", SPEC, x), SPEC)(x).shape == (2, 8 * 16 * 12)


def test_pictures_are_squares_of_the_middle_slice() -> None:
    x = torch.randint(0, 256, (2, 1, 20, 40, 30), dtype=torch.uint8)
    shown = volume.picture(volume.inputs(x, SPEC), SPEC)
    assert shown.shape == (2, 40, 40, 1)
    assert torch.equal(shown[:, :, 5:35, 0], x[:, 0, 10])
    assert int(shown[:, :, :5].max()) == 0


def test_the_encoder_sees_the_size_of_the_views() -> None:
    assert volume.seen(SPEC, {"size": 20})["shape"] == [1, 10, 20, 15]
    assert volume.seen(SPEC, {"size": None})["shape"] == SPEC["shape"]


def test_large_volumes_come_in_small_batches() -> None:
    assert volume.batch_size(SPEC, 1000) is None
    assert volume.batch_size(SPEC | {"shape": [1, 64, 64, 64]}, 1000) == 64


def test_a_run_from_files_to_vectors(tmp_path) -> None:
    import nibabel

    rng = np.random.default_rng(0)
    for i in range(12):
        path = tmp_path / f"scans/{'ab'[i % 2]}/{i}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        array = rng.normal(0, 1, (8, 10, 8)).astype(np.float32) + 3 * (i % 2)
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)
    plan = make_plan("simclr", tmp_path / "scans", options={"epochs": 1, "batch_size": 4, "health": False})
    (tmp_path / "run").mkdir()
    model = train(plan, tmp_path / "run")
    vectors = model.embed(tmp_path / "scans")
    assert vectors.shape == (12, model.dim)
    assert np.isfinite(vectors).all()
    one = model.embed(tmp_path / "scans/a/0.nii.gz")
    np.testing.assert_allclose(one[0], vectors[0], atol=1e-5)
    assert open_data(tmp_path / "scans").train.label is not None
