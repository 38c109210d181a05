"""Operators on whole batches of images, each sample with its own parameter.

All take and return float images ``(batch, channels, height, width)`` in [0, 1] and agree with the kernels of
torchvision's ``transforms.v2.functional`` applied image by image. Parameters are ``(batch,)`` on the images'
device. Nothing is changed in place. Operators that need colour leave images of one channel as they are.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Num, UInt8
from torch import Tensor

Images = Float[Tensor, "batch channels height width"]
Canvas = Images | UInt8[Tensor, "batch channels height width"]
Square = Float[Tensor, "batch channels {size} {size}"]
Parameter = Float[Tensor, "batch"]

# luma of ITU-R BT.601, as torchvision (and SimCLR's TensorFlow code) round it
RED, GREEN, BLUE = 0.2989, 0.587, 0.114

SINGLY = 64  #: on processors views of more pixels a side are resized one by one
BLOCK = 32  #: pixels of an axis that are blurred at a time: the fewer, the fewer zeros are multiplied


def crop_resize(
    images: Canvas, boxes: Num[Tensor, "batch 4"], flip: Bool[Tensor, "batch"], size: int
) -> Square:
    """Crops, resizes (bilinear, antialiased where it reduces) and flips in one pass.

    Bytes that become large views on a processor are resized as bytes, hence rounded to whole ones, as Pillow's and
    torchvision's own images are; all else in fractions.

    Args:
        images: uint8 in [0, 255] or float in [0, 1].
        boxes: ``[top, left, height, width]`` in pixels, inside the image.
        flip: which samples are mirrored left to right.
        size: height and width of the result, in pixels.

    Returns:
        float images in [0, 1].
    """
    white = 255.0 if images.dtype == torch.uint8 else 1.0
    whole = images.dtype == torch.uint8 and not boxes.is_floating_point()
    if size > SINGLY and whole and images.device.type == "cpu":
        return _one_by_one(images, boxes, flip, size).div_(white)
    images = images.float()  # half precision cannot tell pixels of a large canvas apart
    boxes = boxes.to(images.dtype)
    # Sampling reads four pixels a point and is two to four times quicker on processors than the matrices,
    # but is exact only where nothing is reduced. On a GPU, finding out which samples those are would make
    # the host wait for the device.
    if max(images.shape[2:]) <= size:
        return _sample(images, boxes, flip, size).div_(white)
    if images.is_cuda:
        return _resample(images, boxes, flip, size).div_(white)
    out = images.new_empty(*images.shape[:2], size, size)
    enlarged = (boxes[:, 2:] <= size).all(1)
    for kernel, chosen in ((_sample, enlarged), (_resample, ~enlarged)):
        at = chosen.nonzero()[:, 0]
        if len(at):
            out[at] = kernel(images[at], boxes[at], flip[at], size)
    return out.div_(white)


def _one_by_one(
    images: UInt8[Tensor, "batch channels height width"],
    boxes: Num[Tensor, "batch 4"],
    flip: Bool[Tensor, "batch"],
    size: int,
) -> Square:
    """``crop_resize`` in whole bytes, image by image: torch has a kernel for it that is several times quicker than
    reading or multiplying fractions, where an image is large enough to outweigh the call."""
    out = torch.empty(*images.shape[:2], size, size)
    for image, new, (top, left, height, width), mirrored in zip(images, out, boxes.tolist(), flip.tolist()):
        crop = image[None, :, top : top + height, left : left + width]
        crop = crop.contiguous(memory_format=torch.channels_last)
        crop = F.interpolate(crop, (size, size), mode="bilinear", antialias=True)
        new.copy_((crop.flip(3) if mirrored else crop)[0])
    return out


def _centres(
    start: Parameter, length: Parameter, size: int, flip: Bool[Tensor, "batch"] | None = None
) -> Float[Tensor, "batch {size}"]:
    """Where the centres of the new pixels lie on the old axis."""
    steps = (torch.arange(size, device=start.device, dtype=start.dtype) + 0.5) / size
    if flip is not None:
        steps = torch.where(flip[:, None], 1 - steps, steps)
    return start[:, None] + length[:, None] * steps


def _sample(
    images: Images, boxes: Float[Tensor, "batch 4"], flip: Bool[Tensor, "batch"], size: int
) -> Square:
    """``crop_resize`` for crops no larger than ``size``: bilinear reads, kept inside the crop."""
    grid = images.new_empty(len(images), size, size, 2)
    for axis, mirrored in ((0, None), (1, flip)):
        start, length = boxes[:, axis], boxes[:, axis + 2]
        centre = _centres(start, length, size, mirrored)
        centre = centre.clamp((start + 0.5)[:, None], (start + length - 0.5)[:, None])
        centre = centre.mul_(2 / images.shape[2 + axis]).sub_(1)  # grid_sample counts from -1 to 1
        grid[..., 1 - axis] = centre[:, :, None] if axis == 0 else centre[:, None]
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _resample(
    images: Images, boxes: Float[Tensor, "batch 4"], flip: Bool[Tensor, "batch"], size: int
) -> Square:
    """``crop_resize`` for any crop: resampling is linear and separable, one matrix per sample and axis."""
    top, left, height, width = boxes.unbind(1)
    rows = _antialias(top, height, images.shape[2], size)
    return _separable(images, rows, _antialias(left, width, images.shape[3], size, flip))


def _antialias(
    start: Parameter, length: Parameter, source: int, size: int, flip: Bool[Tensor, "batch"] | None = None
) -> Float[Tensor, "batch {size} {source}"]:
    """Matrices that map ``source`` pixels to ``size`` by the triangle filter, seeing only the crop.

    The filter reaches one old pixel to each side when enlarging, one new pixel when reducing (antialiasing);
    at the edges of the crop the weights that are inside are scaled to sum to 1.
    """
    pixels = torch.arange(source, device=start.device, dtype=start.dtype) + 0.5
    centre = _centres(start, length, size, flip)[..., None]
    reach = (length / size).clamp_min(1)[:, None, None]
    weights = (centre - pixels).abs_().div_(reach).neg_().add_(1).clamp_min_(0)
    inside = (pixels > start[:, None]) & (pixels < (start + length)[:, None])
    weights.mul_(inside[:, None])
    return weights.div_(weights.sum(2, keepdim=True))


def _separable(
    images: Images,
    rows: Float[Tensor, "batch newheight height"],
    columns: Float[Tensor, "batch newwidth width"],
) -> Float[Tensor, "batch channels newheight newwidth"]:
    """``rows @ image @ columns.T`` for every sample and channel."""
    batch, channels, height, width = images.shape
    across = torch.bmm(images.reshape(batch, channels * height, width), columns.mT)
    across = across.view(batch, channels, height, columns.shape[1])
    out = images.new_empty(batch, channels, rows.shape[1], columns.shape[1])
    for channel in range(channels):  # one product over all channels would copy ``rows`` for each
        out[:, channel] = torch.bmm(rows, across[:, channel])
    return out


def rotate(images: Images, turn: Parameter) -> Images:
    """Turns images about their middle by ``turn`` of a full circle (-0.5 to 0.5), anticlockwise; bilinear, and zero
    where nothing was. Values may be of any range."""
    height, width = images.shape[2:]
    angle = 2 * torch.pi * turn
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # where a pixel of the result comes from, on axes that go from -1 to 1
    across = torch.stack([cos, -sin * height / width, zero], 1)
    down = torch.stack([sin * width / height, cos, zero], 1)
    grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def brightness(images: Images, factor: Parameter) -> Images:
    """``clamp(factor x)``."""
    return images.mul(_wide(factor)).clamp_(0, 1)


def contrast(images: Images, factor: Parameter) -> Images:
    """``clamp(factor x + (1 - factor) m)``, ``m`` the mean luma of the image (its mean for one channel)."""
    mean = images.mean((2, 3), keepdim=True)
    if images.shape[1] == 3:
        mean = _luma(mean)
    return images.mul(_wide(factor)).add_(mean * (1 - _wide(factor))).clamp_(0, 1)


def saturation(images: Images, factor: Parameter) -> Images:
    """``clamp(factor x + (1 - factor) luma(x))``."""
    if images.shape[1] != 3:
        return images
    return torch.lerp(_luma(images), images, _wide(factor)).clamp_(0, 1)


def hue(images: Images, shift: Parameter) -> Images:
    """Turns the hue by ``shift`` of a full circle (-0.5 to 0.5), at constant value and chroma.

    The way to HSV and back is shortened: with hue ``h`` on a circle of length 6, a channel is
    ``min + (max - min) * clamp(w(h), 0, 1)`` with ``w`` piecewise linear: ``|h - 3| - 1`` for red,
    ``2 - |h - 2|`` for green and ``2 - |h - 4|`` for blue.
    """
    if images.shape[1] != 3:
        return images
    red, green, blue = images.unbind(1)
    low = torch.minimum(red, green).clamp_max_(blue)
    value = torch.maximum(red, green).clamp_min_(blue)
    chroma = value - low
    out = torch.empty_like(images)
    mask, scratch, _ = out.unbind(1)  # until the result is written, its memory serves as scratch space
    # numerator of the hue where blue is largest, then where green is, then where red is. Masks of zeros and
    # ones with lerp, which is exact there, because eq and where are several times slower than the rest.
    h = torch.sub(red, green).add_(chroma, alpha=4)
    torch.sub(blue, red, out=scratch).add_(chroma, alpha=2)
    h.lerp_(scratch, torch.eq(value, green, out=mask))
    h.lerp_(torch.sub(green, blue, out=scratch), torch.eq(value, red, out=mask))
    # grey pixels have chroma and numerator 0: any hue does
    torch.clamp_min(chroma, torch.finfo(h.dtype).tiny, out=scratch)
    h.div_(scratch).add_(6 * shift[:, None, None])
    h.sub_(torch.div(h, 6, out=scratch).floor_(), alpha=6)
    for channel, (centre, sign) in enumerate(((3, 1), (2, -1), (4, -1))):
        w = torch.sub(h, centre, out=out[:, channel]).abs_()
        w = w.sub_(1) if sign > 0 else w.neg_().add_(2)
        torch.addcmul(low, chroma, w.clamp_(0, 1), out=w)
    return out


def grayscale(images: Images) -> Images:
    """Luma in all three channels."""
    if images.shape[1] != 3:
        return images
    return _luma(images).expand_as(images).contiguous()


def solarise(images: Images, threshold: Parameter) -> Images:
    """Inverts the pixels at or above ``threshold``."""
    return torch.where(images >= _wide(threshold), 1 - images, images)


def gaussian_blur(images: Images, sigma: Parameter, kernel: int) -> Images:
    """Gaussian blur of ``sigma`` pixels by a kernel of ``kernel`` pixels (odd), reflecting at the edges.

    Each sample's kernel is written as a banded matrix per axis: batched products are quicker than a
    convolution with as many groups as samples and channels.

    Raises:
        ValueError: when the kernel is even, or more than half of it reaches beyond the image.
    """
    if kernel % 2 == 0 or kernel // 2 >= min(images.shape[2:]):
        raise ValueError(f"a blur kernel of {kernel} pixels does not fit images of {tuple(images.shape[2:])}")
    steps = torch.arange(kernel, device=images.device, dtype=images.dtype) - kernel // 2
    weight = torch.softmax(-0.5 * (steps / sigma[:, None]).square(), 1)
    weight = F.threshold(weight, 1e-12, 0)  # denormal numbers would slow the products tenfold
    rows, columns = (_band(weight, size) for size in images.shape[2:])
    return _banded(images, rows, columns, kernel // 2)


def _banded(
    images: Images,
    rows: Float[Tensor, "batch height height"],
    columns: Float[Tensor, "batch width width"],
    reach: int,
) -> Images:
    """``_separable`` for square matrices that are 0 further than ``reach`` from the diagonal: by blocks along it."""
    batch, channels, height, width = images.shape
    x = images.reshape(batch, channels * height, width)
    across = torch.empty_like(x)
    for here, near in _blocks(width, reach):
        across[..., here] = torch.bmm(x[..., near], columns[:, here, near].mT)
    across = across.view(batch, channels, height, width)
    out = torch.empty_like(across)
    for here, near in _blocks(height, reach):
        for channel in range(channels):
            out[:, channel, here] = torch.bmm(rows[:, here, near], across[:, channel, near])
    return out


def _blocks(size: int, reach: int) -> list[tuple[slice, slice]]:
    """Blocks of an axis, each with what lies within ``reach`` of it."""
    starts = range(0, size, BLOCK)
    return [(slice(i, i + BLOCK), slice(max(0, i - reach), min(size, i + BLOCK + reach))) for i in starts]


def _band(weight: Float[Tensor, "batch kernel"], size: int) -> Float[Tensor, "batch {size} {size}"]:
    """The matrices that convolve an axis of ``size`` pixels with ``weight``, reflecting at both ends."""
    batch, kernel = weight.shape
    target = torch.arange(size, device=weight.device)[:, None]
    source = (target + torch.arange(kernel, device=weight.device) - kernel // 2).abs()
    source = torch.where(source >= size, 2 * (size - 1) - source, source)
    spread = weight[:, None].expand(batch, size, kernel).reshape(batch, -1)
    matrix = weight.new_zeros(batch, size * size).index_add_(1, (target * size + source).view(-1), spread)
    return matrix.view(batch, size, size)


def normalise(images: Images, mean: Float[Tensor, "channels"], std: Float[Tensor, "channels"]) -> Images:
    """``(x - mean) / std`` by channel."""
    return images.sub(mean[:, None, None]).div_(std[:, None, None])


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images.split(1, 1)
    return red.mul(RED).add_(green, alpha=GREEN).add_(blue, alpha=BLUE)


def _wide(parameter: Parameter) -> Float[Tensor, "batch 1 1 1"]:
    return parameter[:, None, None, None]
