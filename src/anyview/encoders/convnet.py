"""A small convolutional network for small images, for quick runs on few cores."""

from torch import Tensor, nn

from anyview.encoders.feature_map import Images, MapEncoder, conv_bn, run_stages


class ConvNet(MapEncoder):
    """Three stages of two 3x3 convolutions, each with batch norm and ReLU; stages 2 and 3 halve the image.

    Made for images from 8 x 8 up to about 64 x 64: the last map is a quarter of the image. Larger ones work,
    slowly. Layers: 0 the first convolution, 1 to 3 the stages.

    Args:
        channels: channels of the images.
        width: channels of the first stage; the others have 2 and 4 times as many, and ``dim = 4 width``.
    """

    depth = 3
    stride = 4

    def __init__(self, channels: int = 3, width: int = 24) -> None:
        super().__init__(channels)
        self.dim = 4 * width

        def conv(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
            return [*conv_bn(inputs, outputs, 3, stride), nn.ReLU(inplace=True)]

        self.stages = nn.ModuleList(
            [
                nn.Sequential(*conv(channels, width)),
                nn.Sequential(*conv(width, width)),
                nn.Sequential(*conv(width, 2 * width, 2), *conv(2 * width, 2 * width)),
                nn.Sequential(*conv(2 * width, 4 * width, 2), *conv(4 * width, 4 * width)),
            ]
        )

    def maps(self, x: Images, layers: list[int] | None = None) -> list[Tensor]:
        return run_stages(self.stages, x, layers)
