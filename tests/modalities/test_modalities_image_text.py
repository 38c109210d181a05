"""Images with captions from end to end: what is recognised, what is left out, both sides and the encoder."""

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from anyview.data import open as open_data
from anyview.data.text.vocabulary import decode
from anyview.encoders import registry
from anyview.errors import InputError
from anyview.modalities import modality
from anyview.views.image_text import multi_view, pair

KIND = modality("image_text")


def png(i: int, side: int = 12) -> bytes:
    pixels = np.random.default_rng(i).integers(0, 255, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def table(captions: list[str | None], column: str = "caption", **more: list) -> pa.Table:
    rows = {"image": [png(i) for i in range(len(captions))], column: captions, **more}
    return pa.table(rows)


CAPTIONS = [f"a picture of number {word}" for word in ("one", "two", "three", "four", "five", "six")]


@pytest.mark.parametrize("column", ["caption", "text", "description", "name"])
def test_an_image_with_a_caption_is_a_pair(column: str) -> None:
    data = open_data(table(CAPTIONS, column))
    assert data.modality == "image_text"
    batch = data.train.fetch(torch.tensor([4, 1]))
    assert decode(batch.x["text"], data.spec["text"]) == [CAPTIONS[4], CAPTIONS[1]]
    assert batch.x["image"].shape == (2, 3, 12, 12)


@pytest.mark.parametrize(
    ("captions", "column"),
    [(["cat", "dog"] * 6, "caption"), ([f"img_{i}.png" for i in range(6)], "name"), ([None] * 4, "caption")],
)
def test_a_class_or_a_file_name_is_no_caption(captions: list, column: str) -> None:
    assert open_data(table(captions, column)).modality == "image"


def test_rows_without_image_or_caption_are_left_out_and_listed() -> None:
    whole = table([*CAPTIONS[:2], None, *CAPTIONS[3:]], label=[0, 1, 0, 1, 0, 1])
    images = whole.column("image").to_pylist()
    images[4] = b"no image"
    data = open_data(whole.set_column(0, "image", pa.array(images)))
    assert [s.path.rsplit(" ", 1)[1] for s in data.skipped] == ["2", "4"]
    batch = data.train.take(torch.tensor([0, 2, 3])).fetch(torch.tensor([2, 1]))
    assert decode(batch.x["text"], data.spec["text"]) == [CAPTIONS[5], CAPTIONS[3]]
    assert batch.label.tolist() == [1, 1]
    alone = open_data(table([None, *CAPTIONS[1:]]), modality="image_text")
    assert torch.equal(batch.x["image"][1], alone.train.fetch(torch.tensor([2])).x["image"][0])


def test_a_folder_with_a_table_of_captions(tmp_path: Path) -> None:
    for i in range(6):
        (tmp_path / f"{i}.png").write_bytes(png(i))
    with (tmp_path / "metadata.csv").open("w", newline="") as f:
        csv.writer(f).writerows(
            [("file_name", "caption"), *((f"{i}.png", c) for i, c in enumerate(CAPTIONS))]
        )
    data = open_data(tmp_path)
    assert data.modality == "image_text"
    assert len(data.train) == 6
    (tmp_path / "3.png").unlink()
    data = open_data(tmp_path)
    assert (len(data.train), len(data.skipped)) == (5, 1)


def test_other_data_is_read_as_the_first_was() -> None:
    data = open_data(table(CAPTIONS))
    other = open_data(table(CAPTIONS[::-1]), like=data.spec, modality="image_text")
    assert other.spec == data.spec
    with pytest.raises(InputError, match="caption"):
        open_data(table(CAPTIONS).drop_columns("caption"), modality="image_text")


def test_views_are_one_side_each_by_turns() -> None:
    data = open_data(table(CAPTIONS))
    batch = data.train.fetch(torch.arange(4))
    assert [list(v.x) for v in pair(data.spec)(batch)] == [["image"], ["text"]]
    assert [list(v.x) for v in multi_view(data.spec, count=4)(batch)] == [["image"], ["text"]] * 2
    assert multi_view(data.spec, count=1).count == 2  # a side cannot be without
    kept = pair(data.spec, delete=0.0)(batch)[1].x["text"]
    assert torch.equal(kept.values, batch.x["text"].values)
    with pytest.raises(InputError, match="one view of each side"):
        multi_view(data.spec, count=0)


def test_the_encoder_takes_one_side_or_both_and_is_exact_on_ragged_captions(tmp_path: Path) -> None:
    data = open_data(table(["a cat", *CAPTIONS[1:]]))
    torch.manual_seed(0)
    encoder = KIND.encoder("pair-s", data.spec).eval()
    x = KIND.inputs(data.train.fetch(torch.arange(6)).x, data.spec)
    sides = KIND.sides(x)
    assert sides is not None
    image, text, both = encoder(sides[0]), encoder(sides[1]), encoder(x)
    torch.testing.assert_close(both, torch.nn.functional.normalize(image + text, dim=1))
    alone = KIND.inputs(data.train.fetch(torch.tensor([0])).x, data.spec)
    torch.testing.assert_close(encoder({"text": alone["text"]}), text[:1], atol=1e-5, rtol=0)
    registry.save(encoder, tmp_path)
    torch.testing.assert_close(registry.load(tmp_path)[0](x), both)
    with pytest.raises(InputError, match="image and text"):
        encoder({"sound": image})


def test_names_of_classes_are_a_second_side() -> None:
    data = open_data(table(CAPTIONS))
    words = KIND.words(["number one", "number two"], data.spec)
    assert words is not None
    assert len(words["text"]) == 2
