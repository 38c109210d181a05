"""Pictures keep their pixels and places; the spectrum and the map say what the vectors say."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from anyview.report.pictures import picture, sheet, to_rgb
from anyview.report.projection import flat_map, spectrum


def decode(uri: str) -> np.ndarray:
    kind, _, data = uri.partition(";base64,")
    assert kind == "data:image/png"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_small_pictures_are_kept_bit_by_bit():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    assert (decode(picture(pixels, side=32)) == pixels).all()
    assert decode(picture(np.repeat(np.repeat(pixels, 9, 0), 9, 1), side=32)).shape[1] == 32


def test_a_sheet_holds_every_thumbnail_in_its_place():
    thumbs = np.random.default_rng(0).integers(0, 256, (85, 6, 5, 3), dtype=np.uint8)
    uri, (columns, rows), (width, height) = sheet(thumbs)
    assert (columns, rows, width, height) == (40, 3, 5, 6)
    whole = decode(uri)
    for i in (0, 41, 84):
        y, x = divmod(i, columns)
        assert (whole[y * 6 : y * 6 + 6, x * 5 : x * 5 + 5] == thumbs[i]).all()


def test_channels_first_or_last_one_or_many():
    last = np.random.default_rng(0).integers(0, 256, (5, 8, 9, 3), dtype=np.uint8)
    assert (to_rgb(np.moveaxis(last, -1, 1)) == last).all()
    assert (to_rgb(last) == last).all()
    assert to_rgb(last[:, None]).shape == (5, 1, 8, 9, 3)
    assert to_rgb(np.zeros((5, 1, 8, 9), np.uint8)).shape == (5, 8, 9, 1)
    assert to_rgb(np.zeros((5, 8, 9, 4), np.uint8)).shape == (5, 8, 9, 3)
    assert to_rgb(np.zeros((5, 8, 9, 12), np.uint8)).shape == (5, 8, 9, 1)


def test_spectrum_and_effective_rank_of_a_known_matrix():
    vectors = np.diag([4.0, 2.0, 1.0, 1.0])
    values, rank = spectrum(vectors)
    np.testing.assert_allclose(values, [1, 0.5, 0.25, 0.25], rtol=1e-6)
    p = np.array([4, 2, 1, 1]) / 8
    assert rank == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-4)


def test_the_map_separates_what_is_apart_and_repeats():
    rng = np.random.default_rng(0)
    centre = rng.normal(size=(2, 16))[np.repeat([0, 1], 30)] * 4
    vectors = (centre + 0.1 * rng.normal(size=(60, 16))).astype(np.float32)
    flat, how = flat_map(vectors)
    gap = np.linalg.norm(flat[:30].mean(0) - flat[30:].mean(0))
    assert gap > 3 * max(flat[:30].std(), flat[30:].std())
    assert "t-SNE" in how
    np.testing.assert_array_equal(flat, flat_map(vectors)[0])
