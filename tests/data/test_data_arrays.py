"""Arrays, NumPy files, and datasets of other libraries."""

import numpy as np
import pytest
import torch
from PIL import Image

import anyview.data as data
from anyview.data.images.arrays import as_uint8, channel_axis
from anyview.data.labels import encode
from anyview.errors import InputError

RNG = np.random.default_rng(0)


def everything(source):
    return source.fetch(torch.arange(len(source)))


@pytest.mark.parametrize(
    ("shape", "axis", "spec"),
    [
        ((5, 9, 7), 0, [1, 9, 7]),
        ((5, 3, 9, 7), 1, [3, 9, 7]),
        ((5, 9, 7, 3), 3, [3, 9, 7]),
        ((5, 1, 9, 9), 1, [1, 9, 9]),
        ((5, 3, 3, 3), 1, [3, 3, 3]),
    ],
)
@pytest.mark.parametrize("torch_", [False, True])
def test_layouts(shape, axis, spec, torch_):
    x = RNG.integers(0, 256, shape, dtype=np.uint8)
    assert channel_axis(x) == axis
    found = data.open(torch.from_numpy(x) if torch_ else x)
    assert found.spec["shape"] == spec
    got = everything(found.train).x.numpy()
    assert np.array_equal(got if axis else got[:, 0], x.transpose(0, 3, 1, 2) if axis == 3 else x)


def test_value_ranges_become_bytes():
    x = np.array([0.0, 0.5, 1.0], np.float32).reshape(1, 1, 3)
    assert as_uint8({"train": x})["train"].flatten().tolist() == [0, 128, 255]
    assert as_uint8({"train": x.astype(np.float64) * 255})["train"].flatten().tolist() == [0, 128, 255]
    assert as_uint8({"train": x > 0.4})["train"].flatten().tolist() == [0, 255, 255]
    assert as_uint8({"train": (x * 200).astype(np.int64)})["train"].flatten().tolist() == [0, 100, 200]
    assert as_uint8({"train": (x * 65535).astype(np.uint16)})["train"].flatten().tolist() == [0, 127, 255]
    assert as_uint8({"train": torch.from_numpy(x).bfloat16()})["train"].flatten().tolist() == [0, 128, 255]


def test_splits_are_scaled_alike():
    dark, light = np.full((2, 4, 4), 0.5, np.float32), np.full((2, 4, 4), 200.0, np.float32)
    out = as_uint8({"train": light, "test": dark})
    assert int(out["test"].max()) <= 1


def test_bad_arrays_say_why():
    x = np.zeros((8, 4, 4), np.float32)
    x[5, 0, 0], x[7, 1, 1] = np.nan, np.inf
    with pytest.raises(InputError, match="sample 5 of the train split holds NaN"):
        data.open(x)
    with pytest.raises(InputError, match=r"run from -2 to 3; give 0..1 or 0..255"):
        data.open(np.array([[[-2.0], [3.0]]]))
    assert data.open(np.zeros((4, 5, 6, 7), np.uint8)).modality == "volume"
    with pytest.raises(InputError, match=r"shape \(4, 5, 6, 7\)"):
        data.open(np.zeros((4, 5, 6, 7), np.uint8), modality="image")
    with pytest.raises(InputError, match="array of shape"):
        data.open(np.zeros((0, 4, 4), np.uint8))
    with pytest.raises(InputError, match="5 samples have 3 labels"):
        data.open((np.zeros((5, 4, 4), np.uint8), np.arange(3)))
    with pytest.raises(InputError, match="different shapes"):
        data.open({"train": np.zeros((5, 4, 4), np.uint8), "test": np.zeros((5, 6, 4), np.uint8)})
    for thing in (3, object(), (x for x in "abc")):
        with pytest.raises(InputError, match="cannot open"):
            data.open(thing)
    with pytest.raises(InputError, match="no column of images"):
        data.open(["a", "b"], modality="image")


def test_mean_and_std_are_of_train_and_shared():
    train, test = RNG.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8), np.zeros((4, 8, 8, 3), np.uint8)
    found = data.open({"test": (test, [0] * 4), "train": (train, [0, 1, 2] * 10)})
    assert np.allclose(found.spec["mean"], train.mean((0, 1, 2)) / 255, atol=1e-5)
    assert np.allclose(found.spec["std"], train.std((0, 1, 2)) / 255, atol=1e-5)
    assert found.split("test").spec == found.spec


def test_array_resized_like_files(tmp_path):
    smooth = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.png")
    a = everything(data.open(smooth[None], size=20).train).x
    b = everything(data.open(tmp_path, size=20).train).x
    assert a.shape == b.shape == (1, 1, 20, 20)
    assert (a.int() - b.int()).abs().max() <= 2


def test_npy_and_npz(tmp_path):
    x, y = RNG.integers(0, 256, (6, 8, 8), dtype=np.uint8), np.array([0, 1, 2, 0, 1, 2])
    np.save(tmp_path / "a.npy", x)
    assert len(data.open(tmp_path / "a.npy").train) == 6
    np.savez(tmp_path / "b.npz", images=x, labels=y[:, None])
    assert data.open(tmp_path / "b.npz").train.label.tolist() == y.tolist()
    np.savez(
        tmp_path / "c.npz",
        x_train=x,
        y_train=y,
        x_val=x[:2],
        y_val=y[:2],
        test_images=x[:3],
        test_labels=y[:3],
    )
    found = data.open(tmp_path / "c.npz")
    assert {name: len(s) for name, s in found.splits.items()} == {"train": 6, "validation": 2, "test": 3}
    assert [len(s) for s in data.open(tmp_path / "c.npz", split="test").splits.values()] == [3]
    np.savez(tmp_path / "d.npz", edges=x)
    with pytest.raises(InputError, match=r"no arrays that could be read as .* \(arrays: edges\)"):
        data.open(tmp_path / "d.npz")


class Payload:
    ran = False

    def __reduce__(self):
        return (setattr, (Payload, "ran", True))


@pytest.mark.parametrize("name", ["evil.npz", "evil.npy"])
def test_pickles_are_refused_and_never_run(tmp_path, name):
    evil = np.array([Payload()], dtype=object)
    (np.savez(tmp_path / name, x=evil) if name.endswith("z") else np.save(tmp_path / name, evil))
    with pytest.raises(InputError, match="holds Python objects"):
        data.open(tmp_path / name)
    assert not Payload.ran


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.parquet"])
def test_broken_files_are_one_line(tmp_path, name):
    for content in (b"", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as error:
            data.open(tmp_path / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)


class Pairs(torch.utils.data.Dataset):
    def __init__(self, broken=()):
        self.broken = broken

    def __len__(self):
        return 10

    def __getitem__(self, i):
        if i in self.broken:
            raise OSError("disk says no")
        return Image.new("RGB", (12, 12), (i, i, i)), "odd" if i % 2 else "even"


def test_torch_dataset_of_pairs():
    found = data.open({"train": Pairs(broken=(3,)), "test": Pairs()})
    assert found.label_names == ["even", "odd"]
    assert len(found.train) == 9
    assert found.train.label.tolist() == [0, 1, 0, 0, 1, 0, 1, 0, 1]
    assert "disk says no" in found.skipped[0].reason
    assert everything(found.split("test")).x[7, 0, 0, 0] == 7


def test_torch_tensor_dataset_and_list_of_images():
    x = torch.rand(6, 3, 10, 10)
    found = data.open(torch.utils.data.TensorDataset(x, torch.arange(6)))
    assert torch.equal(everything(found.train).x, (x * 255).round().byte())
    assert found.train.label.tolist() == list(range(6))
    images = [Image.new("L", (9, 9), i) for i in range(4)]
    assert data.open(images).spec["shape"] == [1, 9, 9]


def test_normalised_tensors_in_a_dataset_are_refused():
    with pytest.raises(InputError, match="not normalised"):
        data.open(torch.utils.data.TensorDataset(torch.randn(6, 3, 10, 10)), modality="image")


def test_hugging_face_dataset_and_dict():
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"photo": datasets.Image(), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    images = [Image.new("RGB", (10, 10), (i, 0, 0)) for i in range(4)]
    one = datasets.Dataset.from_dict({"photo": images, "label": [0, 1, 1, 0]}, features=features)
    found = data.open(one.shuffle(seed=1))
    assert found.label_names == ["no", "yes"]
    batch = everything(found.train)
    assert {int(v): int(label) for v, label in zip(batch.x[:, 0, 0, 0], batch.label)} == {
        0: 0,
        1: 1,
        2: 1,
        3: 0,
    }
    both = data.open(datasets.DatasetDict({"train": one, "validation": one.select([2])}))
    assert both.split("validation").label.tolist() == [1]
    with pytest.raises(
        InputError, match=r'no column "labels"; did you mean "label"\? \(columns: photo, label\)'
    ):
        data.open(one, label="labels")
    with pytest.raises(InputError, match="streaming"):
        data.open(one.to_iterable_dataset())


def test_an_open_dataset_is_returned_as_it_is():
    found = data.open(np.zeros((4, 8, 8), np.uint8))
    assert data.open(found) is found


def test_labels_are_numbered_alike_in_all_splits():
    label, names = encode({"train": ["b", None, "a"], "test": ["b"], "more": None})
    assert names == ["a", "b"]
    assert label["train"].tolist() == [1, -1, 0]
    assert label["test"].tolist() == [1]
    assert label["more"] is None
    label, names = encode({"train": [7, 3, float("nan")], "test": [3]})
    assert (label["train"].tolist(), label["test"].tolist(), names) == ([1, 0, -1], [0], ["3", "7"])
    label, names = encode({"train": [2, 0, 1, -1]})
    assert (label["train"].tolist(), names) == ([2, 0, 1, -1], None)
    label, names = encode({"train": [2, 0]}, ["x", "y", "z"])
    assert (label["train"].tolist(), names) == ([2, 0], ["x", "y", "z"])
    with pytest.raises(InputError, match="class names"):
        encode({"train": [5]}, ["x", "y"])
    with pytest.raises(InputError, match="no classes"):
        encode({"train": [0.5]})
