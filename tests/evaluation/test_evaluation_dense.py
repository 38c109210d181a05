"""The dense probe: against scikit-learn and torchmetrics, and blind to the masks of test."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from torch import nn
from torchmetrics.functional import jaccard_index

import anyview as av
from anyview.cli.main import main
from anyview.data.source import NO_CLASS
from anyview.encoders import registry
from anyview.evaluation.features import Features, Split
from anyview.evaluation.maps import laid_out
from anyview.evaluation.protocols.base import Case
from anyview.evaluation.protocols.dense import PROTOCOL, SharedRegression, confusion, miou, right, shares

DRAW = np.random.default_rng(0)
NAMES = ["red", "green", "blue", "Unlabelled"]


def png(array, mode=None):
    out = io.BytesIO()
    Image.fromarray(array, mode).save(out, "PNG")
    return {"bytes": out.getvalue(), "path": None}


def scenes(count, seed, side=16):
    """Images of quarters in three colours with noise, and the map of the colours; a corner has no class."""
    draw = np.random.default_rng(seed)
    quarter = draw.integers(0, 3, (count, 2, 2))
    mask = quarter.repeat(side // 2, 1).repeat(side // 2, 2).astype(np.uint8)
    image = (np.eye(3)[mask] * 120 + draw.integers(0, 100, (count, side, side, 3))).astype(np.uint8)
    mask[:, :2, :2] = 3
    return image, mask


def table(image, mask, **metadata):
    columns = {"image": [png(i) for i in image], "mask": [m if isinstance(m, dict) else png(m) for m in mask]}
    meta = {"mask_names": json.dumps(NAMES)} | metadata
    return pa.table(columns).replace_schema_metadata(meta)


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("street")
    for seed, (name, count) in enumerate({"train": 24, "validation": 8, "test": 12}.items()):
        pq.write_table(table(*scenes(count, seed)), folder / f"{name}.parquet")
    return folder


class Blocks(nn.Module):
    """The mean colour of cells of 4 pixels: a feature map that holds the answer."""

    def forward(self, x):
        return nn.functional.avg_pool2d(x, 4)


def test_masks_are_read_beside_their_images_and_are_no_part_of_a_batch(street):
    source = av.open(street).split("test")
    _, mask = scenes(12, 2)
    expected = np.where(mask == 3, NO_CLASS, mask)
    assert torch.equal(source.segmentation, torch.from_numpy(expected).byte())
    assert source.segment_names == NAMES
    assert source.label is None
    index = torch.tensor([4, 1])
    part = source.take(index)
    assert torch.equal(part.segmentation, source.segmentation[index])
    assert part.hidden().segmentation is None
    assert set(vars(part.fetch(torch.tensor([0])))) == {"x", "index", "label", "meta"}


def test_a_mask_follows_its_image_to_another_size_by_nearest_pixels():
    image, mask = scenes(3, 5, side=32)
    wide = np.concatenate([mask, np.full_like(mask, 3)], 2)
    half = av.open(table(np.concatenate([image, image], 2), wide), size=16).train.segmentation
    kept = wide[:, :, 16:48]  # the middle, as of the image
    assert half.shape == (3, 16, 16)
    expected = np.where(kept == 3, NO_CLASS, kept)
    assert set(half.unique().tolist()) <= {0, 1, 2, NO_CLASS}
    assert (half.numpy() == expected[:, ::2, ::2]).mean() > 0.9
    same = av.open(table(image, mask)).train.segmentation
    assert torch.equal(same, torch.from_numpy(np.where(mask == 3, NO_CLASS, mask)).byte())


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (png(np.zeros((16, 16, 3), np.uint8)), "is no map of classes: its pixels are RGB"),
        (png(np.zeros((16, 4), np.uint8)), "is 16 x 4 and its image 16 x 16"),
        ({"bytes": b"no picture", "path": None}, "is no image"),
        ({"bytes": None, "path": None}, "is empty"),
    ],
)
def test_a_mask_that_cannot_be_read_leaves_its_image_without_classes(broken, says):
    image, mask = scenes(3, 6)
    opened = av.open(table(image, [mask[0], broken, mask[2]]))
    assert len(opened.train) == 3
    assert (opened.train.segmentation[1] == NO_CLASS).all()
    assert (opened.train.segmentation[0] != NO_CLASS).any()
    ((path, reason),) = opened.skipped
    assert "row 1" in path
    assert says in reason


def test_miou_and_accuracy_are_those_of_torchmetrics_and_scikit_learn():
    label = torch.from_numpy(DRAW.integers(0, 5, (6, 10, 7))).byte()
    said = torch.where(
        torch.rand(6, 10, 7) < 0.6, label, torch.from_numpy(DRAW.integers(0, 5, (6, 10, 7))).byte()
    )
    label[torch.rand(6, 10, 7) < 0.1] = NO_CLASS
    known = label != NO_CLASS
    tables = confusion(said, label, 5)
    assert tables.sum(0).tolist() == confusion_matrix(label[known], said[known]).tolist()
    wanted = jaccard_index(said[known].long(), label[known].long(), "multiclass", num_classes=5)
    assert miou(tables) == pytest.approx(float(wanted), abs=1e-6)
    assert right(tables) == pytest.approx(float((said == label)[known].double().mean()))
    assert miou(confusion(label, label, 9)) == 1.0  # classes that occur nowhere do not count
    assert np.isnan(miou(confusion(said, torch.full_like(label, NO_CLASS), 5)))


@pytest.mark.parametrize("size", [(40, 6), (9, 20)], ids=["tall", "wide"])
def test_cells_of_several_classes_are_fitted_as_scikit_learn_fits_their_pixels(size):
    cells = size[0]
    x = torch.from_numpy(DRAW.normal(size=size)).float()
    pixels = torch.from_numpy(DRAW.integers(0, 3, (cells, 16)))
    pixels[0], pixels[1, :7] = NO_CLASS, NO_CLASS
    label = pixels.view(1, cells, 16).byte()  # one image of a column of cells
    found = SharedRegression(x, shares(label, 3, (cells, 1))).fit(0.05)
    known = (pixels != NO_CLASS).flatten()
    rows, y = x.repeat_interleave(16, 0)[known], pixels.flatten()[known]
    peer = LogisticRegression(C=1 / (0.05 * len(rows)), tol=1e-10, max_iter=5000).fit(rows, y)
    probability = found.scores(x)[0].softmax(1)
    np.testing.assert_allclose(probability.numpy(), peer.predict_proba(x.numpy()), atol=2e-4)


def test_colours_are_named_from_pixels_and_from_a_map_that_holds_them(street):
    results = {r.metric: r.figures for r in av.evaluate(Blocks(), street)}
    assert set(results) == {"miou", "pixel accuracy"}  # what suits masks, unasked
    assert set(results["miou"]) == {"pretrained", "raw"}  # a network without weights has no untrained one
    for name in ("pretrained", "raw"):
        assert results["miou"][name].mean > 0.7
        assert results["miou"][name].low <= results["miou"][name].mean <= results["miou"][name].high
        assert results["pixel accuracy"][name].mean > 0.85  # bilinear scores are soft where quarters meet


def test_masks_of_test_change_no_answer(street):
    model = av.load(Blocks(), street)
    splits = {name: model.open_all(street).split(name) for name in ("train", "validation", "test")}

    def answered(change):
        test = splits["test"].take(torch.arange(12))
        test.segmentation = change(test.segmentation)
        parts = {n: Split(torch.zeros(len(s), 1), None, s) for n, s in {**splits, "test": test}.items()}
        features = Features(
            **parts, maps=lambda s: nn.functional.avg_pool2d(s.fetch(torch.arange(len(s))).x / 255, 4)
        )
        found = PROTOCOL.parts("it", features)
        case = Case.of(features, found, 0)
        assert case.source.segmentation is None
        return PROTOCOL.answer(case)

    assert torch.equal(answered(lambda m: m), answered(lambda m: torch.full_like(m, 1)))


@pytest.mark.parametrize("name", ["convnet-s", "vit-nano", "resnet18-w32"])
def test_tokens_lie_in_the_map_where_they_lie_in_the_image(name):
    encoder = registry.build(name, (3, 32, 48)).eval()
    x = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        tokens = encoder.tokens(x)
        maps = laid_out(tokens, name)
    assert maps.shape[2] * 48 == maps.shape[3] * 32
    for token, (row, column) in zip(tokens.values[1], tokens.coords[1].int().tolist()):
        assert torch.equal(maps[1, :, row, column], token)


def test_a_run_is_judged_beside_its_untrained_encoder(street, tmp_path, capsys):
    args = ["pretrain", "simclr", str(street), "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main([*args, "--set", "training.health=false"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), str(street), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["protocol"], first["metric"], second["metric"]) == ("dense", "miou", "pixel accuracy")
    assert set(first["figures"]) == {"pretrained", "untrained", "raw"}


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda x: x.flatten(1), "has no feature map to be judged by"),
        (lambda x: x.mean((2, 3)), "has no feature map"),
    ],
)
def test_without_a_feature_map_it_is_one_line(street, model, says):
    with pytest.raises(av.InputError, match=r"^[^\n]*$") as error:
        av.evaluate(model, street, protocols=["dense"])
    assert says in str(error.value)


def test_without_masks_it_is_one_line():
    image, _ = scenes(20, 7)
    with pytest.raises(av.InputError, match="dense needs classes of pixels; the train samples have none"):
        av.evaluate(Blocks(), (image, np.arange(20) % 2), protocols=["dense"])
