"""Volumes of every origin become bytes on one canvas, and what is broken is said."""

import nibabel
import numpy as np
import pytest
import torch

import anyview.data as data
from anyview.data.volume.voxels import Canvas, as_bytes, choose_canvas, cubes
from anyview.errors import InputError

RNG = np.random.default_rng(0)


def everything(source):
    return source.fetch(torch.arange(len(source)))


def write(path, array, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def test_bytes_stay_and_other_types_run_from_dark_to_bright():
    x = RNG.integers(0, 256, (4, 5, 6), dtype=np.uint8)
    assert np.array_equal(as_bytes(x).numpy(), x)
    assert as_bytes(x > 100).unique().tolist() == [0, 255]
    ramp = np.linspace(-1000, 3000, 4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    scaled = as_bytes(ramp)
    assert (int(scaled.min()), int(scaled.max())) == (0, 255)
    assert bool((scaled.flatten().int().diff() >= 0).all())
    assert torch.equal(
        as_bytes(ramp.astype(np.int16)).float().sub(scaled.float()).abs() <= 1, torch.ones(4, 5, 6) > 0
    )


def test_one_bright_voxel_does_not_darken_the_rest():
    x = RNG.normal(100, 10, (12, 12, 12)).astype(np.float32)
    plain = as_bytes(x)
    x[0, 0, 0] = 1e9
    assert (as_bytes(x).float() - plain.float())[1:].abs().max() <= 2


def test_a_sparse_volume_keeps_what_is_in_it():
    x = np.zeros((20, 20, 20), np.float32)
    x[3, 3, 3] = 7.0
    assert as_bytes(x).sum() == 255


def test_nan_voxels_become_the_darkest():
    x = RNG.random((6, 6, 6)).astype(np.float32)
    x[:2] = np.nan
    x[2, 0, 0] = np.inf
    assert int(as_bytes(x)[:2].max()) == 0
    assert int(as_bytes(x)[2, 0, 0]) == 0
    found = data.open(np.stack([x, np.full_like(x, np.nan), x]), modality="volume")
    assert len(found.train) == 2
    assert found.skipped == [("train volume 1", "holds no finite voxel")]


def test_arrays_keep_their_voxels_and_labels():
    x = RNG.integers(0, 256, (5, 6, 8, 7), dtype=np.uint8)
    found = data.open((x, [0, 1, 0, 1, -1]))
    assert found.modality == "volume"
    assert found.spec["shape"] == [1, 6, 8, 7]
    assert np.array_equal(everything(found.train).x[:, 0].numpy(), x)
    assert everything(found.train).label.tolist() == [0, 1, 0, 1, -1]
    scale = torch.from_numpy(x).double() / 255
    assert found.spec["mean"][0] == pytest.approx(float(scale.mean()), abs=1e-5)
    assert found.spec["std"][0] == pytest.approx(float(scale.std(correction=0)), abs=1e-5)
    assert data.open(torch.from_numpy(x)[:, None]).modality == "volume"
    listed = data.open([(volume, i % 2) for i, volume in enumerate(x)])
    assert listed.modality == "volume"
    assert everything(listed.train).label.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("shape", [(4, 3, 16, 16), (4, 16, 16, 3), (4, 16, 16), (4, 1, 16, 16)])
def test_images_are_not_volumes(shape):
    assert data.open(np.zeros(shape, np.uint8)).modality == "image"


def test_the_canvas_keeps_proportions_and_cuts_nothing():
    x = np.zeros((10, 20, 10), np.uint8)
    x[4:6, 8:12, 4:6] = 200
    small = Canvas(8, 10, 8)(x)[0]  # halved to 5 x 10 x 5 and filled up to 8
    assert small.shape == (8, 10, 8)
    assert small.float().sum() == pytest.approx(x.sum() / 8, rel=0.01)
    centre = (
        small.float()[..., None]
        * torch.stack(torch.meshgrid(*map(torch.arange, (8, 10, 8)), indexing="ij"), -1)
    ).sum((0, 1, 2))
    assert torch.allclose(centre / small.sum(), torch.tensor([3.0, 4.5, 3.0]), atol=0.51)
    larger = Canvas(12, 24, 11)(x)[0]
    assert torch.equal(larger[1:11, 2:22, 0:10], torch.from_numpy(x))  # never enlarged


def test_the_canvas_that_is_chosen():
    assert choose_canvas([(20, 30, 25)] * 3, None)[0].shape == (20, 30, 25)
    assert choose_canvas([(32, 32, 32)] * 3, 16)[0].shape == (16, 16, 16)
    assert choose_canvas([(48, 64, 48)], 32)[0].shape == (24, 32, 24)
    canvas, note = choose_canvas([(180, 200, 160), (200, 240, 200), (170, 190, 150)], None)
    assert canvas.shape == (88, 96, 80)
    assert "brought to" in note


def test_a_single_volume_is_cut_into_cubes():
    x = RNG.integers(1, 256, (9, 12, 8), dtype=np.uint8)
    x[:4] = 0
    parts = cubes(torch.from_numpy(x), 4)
    assert all(
        bool((part == torch.from_numpy(x[4:8, a : a + 4, b : b + 4])).all())
        for part, (a, b) in zip(parts[:, 0], [(a, b) for a in (0, 4, 8) for b in (0, 4)])
    )
    assert parts.shape == (6, 1, 4, 4, 4)  # 12, of which the dark ones are left out
    found = data.open(x, modality="volume", size=4)
    assert found.spec["shape"] == [1, 4, 4, 4]
    assert torch.equal(everything(found.train).x, parts)
    again = data.open(x[None].repeat(3, 0), modality="volume", like=found.spec)
    assert len(again.train) == 18
    with pytest.raises(InputError, match="holds no cube of 32 voxels"):
        data.open(x, modality="volume")


def test_a_folder_of_nifti_files(tmp_path):
    volumes = {}
    for i in range(6):
        x = RNG.integers(0, 256, (8, 9, 10), dtype=np.uint8)
        name = f"{'ab'[i % 2]}/scan{i}.nii{'.gz' if i < 3 else ''}"
        volumes[name] = x
        write(tmp_path / "scans" / name, x)
    write(tmp_path / "scans/a/series.nii", np.zeros((8, 9, 10, 5), np.int16))
    write(tmp_path / "scans/a/slice.nii", np.zeros((8, 9), np.int16))
    (tmp_path / "scans/b/broken.nii").write_bytes(b"\0" * 400)
    whole = (tmp_path / "scans/a/scan0.nii.gz").read_bytes()
    (tmp_path / "scans/b/cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "scans/b/notes.txt").write_text("x")
    found = data.open(tmp_path / "scans")
    assert found.modality == "volume"
    assert found.label_names == ["a", "b"]
    got = everything(found.train)
    assert got.x.shape == (6, 1, 8, 9, 10)
    for x, name in zip(got.x[:, 0].numpy(), sorted(volumes)):
        assert np.array_equal(x, volumes[name])
    assert got.label.tolist() == [0, 0, 0, 1, 1, 1]
    reasons = {entry.path.rsplit("/", 1)[1]: entry.reason for entry in found.skipped}
    assert set(reasons) == {"series.nii", "slice.nii", "broken.nii", "cut.nii.gz", "notes.txt"}
    assert "4 axes (8 x 9 x 10 x 5)" in reasons["series.nii"]
    assert "is no volume" in reasons["slice.nii"]


def test_axes_are_put_in_one_order(tmp_path):
    x = RNG.integers(0, 256, (6, 7, 8), dtype=np.uint8)
    # the same voxels, stored with axes exchanged and one of them backwards
    stored = x.transpose(2, 0, 1)[:, ::-1]
    affine = np.array([[0, -1, 0, 5], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    write(tmp_path / "d/one.nii", x)
    write(tmp_path / "d/two.nii", np.ascontiguousarray(stored), affine)
    both = everything(data.open(tmp_path / "d").train).x
    assert torch.equal(both[0], both[1])


def test_nothing_readable_is_one_line(tmp_path):
    (tmp_path / "d").mkdir()
    for i in range(2):
        (tmp_path / f"d/{i}.nii").write_bytes(b"no volume")
    with pytest.raises(InputError, match="d/ holds 2 files and none could be read as volume"):
        data.open(tmp_path / "d")
    with pytest.raises(InputError, match="size is 1"):
        data.open(np.zeros((3, 8, 8, 8), np.uint8), size=1)
    with pytest.raises(InputError, match="could not be read as volume"):
        data.open(np.zeros((3, 8), np.uint8), modality="volume")


def test_nibabel_missing_is_said(tmp_path, monkeypatch):
    write(tmp_path / "d/one.nii", np.zeros((6, 7, 8), np.uint8))
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(InputError, match=r'pip install "anyview\[volume\]"'):
        data.open(tmp_path / "d")


def test_archives(tmp_path):
    x = RNG.integers(0, 2, (6, 8, 8, 8)).astype(bool)
    bits = np.packbits(x.reshape(6, -1), axis=1)
    names = np.array(["chair", "table"])
    np.savez(
        tmp_path / "packed.npz", voxels=bits, shape=np.array([8, 8, 8]), y=np.arange(6) % 2, label_names=names
    )
    found = data.open(tmp_path / "packed.npz")
    assert found.modality == "volume"
    assert found.label_names == ["chair", "table"]
    assert np.array_equal(everything(found.train).x[:, 0].numpy() == 255, x)
    grays = RNG.integers(0, 256, (6, 8, 8, 8), dtype=np.uint8)
    site = np.array(["x", "y"] * 3)
    np.savez(tmp_path / "plain.npz", volume=grays, label=grays > 100, site=site, label_names=names)
    assert data.open(tmp_path / "plain.npz").train.label is None  # its labels are of voxels
    by_site = data.open(tmp_path / "plain.npz", label="site")
    assert by_site.label_names == ["x", "y"]
    with pytest.raises(InputError, match=r'no label "sites".*did you mean "site"'):
        data.open(tmp_path / "plain.npz", label="sites")


def test_other_data_are_read_as_before():
    first = data.open(RNG.integers(0, 256, (5, 8, 8, 8), dtype=np.uint8))
    other = data.open(RNG.integers(0, 99, (3, 12, 16, 12), dtype=np.uint8), like=first.spec)
    assert other.spec == first.spec
    alone = data.open(RNG.integers(0, 99, (1, 9, 8, 8), dtype=np.uint8), like=first.spec)
    assert len(alone.train) == 1  # whole, as those were


def test_large_sets_are_decoded_while_used(monkeypatch):
    from anyview.data import decode

    x = RNG.integers(0, 256, (5, 8, 8, 8), dtype=np.uint8)
    held = everything(data.open((x, [0, 1, 0, 1, 0])).train)
    monkeypatch.setattr(decode, "MAX_HELD_BYTES", 100)
    streamed = data.open((x, [0, 1, 0, 1, 0]))
    assert not streamed.train.in_memory
    assert torch.equal(everything(streamed.train).x, held.x)
    assert torch.equal(everything(streamed.train).label, held.label)


def test_datasets_of_the_shared_folder(shared_data):
    found = data.open("modelnet_voxels", size=16)
    assert (found.modality, found.spec["shape"], len(found.train)) == ("volume", [1, 16, 16, 16], 1032)
    assert found.label_names == ["chair", "monitor"]
    assert data.open("hippocampus").spec["shape"] == [1, 48, 64, 48]
    assert data.open("mni152_t1").spec["cut"]
