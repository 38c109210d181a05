"""Each batched operator against torchvision's kernel, image by image."""

import pytest
import torch
from torch.testing import assert_close

from anyview.views import image_ops as ops

V = pytest.importorskip("torchvision.transforms.v2.functional")

SHAPES = [(4, 3, 32, 32), (3, 3, 17, 23), (2, 1, 16, 9), (1, 3, 8, 8)]


def images(shape):
    """Random images with what is hard for colour: grey, black, white and saturated pixels, and ties."""
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    x[:, :, 0, :4] = torch.tensor([0.0, 1.0, 0.5, 0.25])
    x[:, :1, 1, :3] = 0.7
    x[:, -1:, 2, :3] = 1.0
    x[:, :2, 3, :3] = 0.9
    return x


def each(kernel, x, parameter):
    return torch.stack([kernel(image, p.item()) for image, p in zip(x, parameter)])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_factors_agree_with_torchvision(name, shape):
    x, factor = images(shape), torch.linspace(0.1, 1.9, shape[0])
    assert_close(
        getattr(ops, name)(x, factor), each(getattr(V, f"adjust_{name}"), x, factor), atol=2e-6, rtol=0
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shift", [-0.5, -0.21, 0.0, 0.1, 0.5])
def test_hue_agrees_with_torchvision(shape, shift):
    x = images(shape)
    shifts = torch.linspace(shift, shift / 2, shape[0])
    assert_close(ops.hue(x, shifts), each(V.adjust_hue, x, shifts), atol=5e-6, rtol=0)


def test_hue_of_zero_and_of_black_changes_nothing():
    x = images((2, 3, 9, 9))
    assert_close(ops.hue(x, torch.zeros(2)), x, atol=2e-6, rtol=0)
    black = torch.zeros(2, 3, 4, 4)
    assert torch.equal(ops.hue(black, torch.tensor([0.3, -0.4])), black)


@pytest.mark.parametrize("shape", SHAPES)
def test_grayscale_solarise_and_normalise_agree_with_torchvision(shape):
    x, threshold = images(shape), torch.linspace(0.3, 0.7, shape[0])
    assert_close(ops.grayscale(x), V.rgb_to_grayscale(x, shape[1]), atol=1e-6, rtol=0)
    assert_close(ops.solarise(x, threshold), each(V.solarize, x, threshold))
    mean, std = [0.4, 0.5, 0.6][: shape[1]], [0.2, 0.3, 0.25][: shape[1]]
    assert_close(ops.normalise(x, torch.tensor(mean), torch.tensor(std)), V.normalize(x, mean, std))


@pytest.mark.parametrize("shape", [*SHAPES, (2, 3, 2 * ops.BLOCK + 5, ops.BLOCK)])
@pytest.mark.parametrize("kernel", [3, 7])
def test_blur_agrees_with_torchvision(shape, kernel):
    x, sigma = images(shape), torch.linspace(0.1, 2.0, shape[0])
    expected = each(lambda image, s: V.gaussian_blur(image, [kernel, kernel], [s, s]), x, sigma)
    assert_close(ops.gaussian_blur(x, sigma, kernel), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("kernel", [4, 17])
def test_blur_kernel_that_does_not_fit_is_an_error(kernel):
    with pytest.raises(ValueError, match=f"kernel of {kernel}"):
        ops.gaussian_blur(torch.rand(1, 3, 8, 8), torch.ones(1), kernel)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((6, 3, 32, 32), 32),  # enlarged only
        ((6, 3, 40, 33), 16),  # reduced, enlarged and both, one axis or two
        ((6, 1, 20, 45), 24),
        ((6, 4, 12, 9), 31),
        ((1, 3, 50, 50), 7),
    ],
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_crop_resize_agrees_with_torchvision(shape, size, dtype):
    torch.manual_seed(size)
    count, _, height, width = shape
    canvas = torch.randint(0, 256, shape, dtype=torch.uint8)
    extent = torch.stack([torch.randint(1, height + 1, (count,)), torch.randint(1, width + 1, (count,))], 1)
    extent[0] = torch.tensor([height, width])
    start = (torch.rand(count, 2) * (torch.tensor([height, width]) - extent + 1)).long()
    boxes, flip = torch.cat([start, extent], 1), torch.arange(count) % 2 == 0
    expected = []
    for image, box, mirror in zip(canvas, boxes.tolist(), flip):
        view = V.resized_crop(image / 255, *box, [size, size], antialias=True)
        expected.append(V.horizontal_flip(view) if mirror else view)
    x = canvas if dtype == torch.uint8 else canvas / 255
    result = ops.crop_resize(x, boxes, flip, size)
    assert_close(result, torch.stack(expected), atol=1e-5, rtol=0)
    # both ways of doing it agree wherever both may be used
    alone = ops._resample(x.float(), boxes.float(), flip, size) / (255 if dtype == torch.uint8 else 1)
    assert_close(result, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_large_views_of_bytes_are_torchvisions_bytes(channels):
    torch.manual_seed(0)
    canvas = torch.randint(0, 256, (3, channels, 130, 90), dtype=torch.uint8)
    boxes, flip = torch.tensor([[0, 0, 130, 90], [5, 7, 40, 60], [99, 3, 31, 80]]), torch.arange(3) == 1
    size = ops.SINGLY + 16
    result = ops.crop_resize(canvas, boxes, flip, size)
    for image, box, mirrored, found in zip(canvas, boxes.tolist(), flip, result):
        view = V.resized_crop(image, *box, [size, size], antialias=True)
        assert_close(found, (V.horizontal_flip(view) if mirrored else view) / 255, atol=1e-6, rtol=0)
    # which is what fractions give, but for rounding of each axis
    assert_close(result, ops.crop_resize(canvas / 255, boxes, flip, size), atol=1.5 / 255, rtol=0)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue", "solarise"])
def test_operators_leave_their_input_alone_and_samples_apart(name):
    x = images((3, 3, 12, 12))
    before, parameter = x.clone(), torch.tensor([0.1, 0.3, 0.4])
    together = getattr(ops, name)(x, parameter)
    assert torch.equal(x, before)
    assert_close(together[1:2], getattr(ops, name)(x[1:2], parameter[1:2]))
