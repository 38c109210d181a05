"""Residual networks (He et al. 2015, arXiv:1512.03385)."""

from jaxtyping import Float
from torch import Tensor, nn

from anyview.encoders.feature_map import Images, MapEncoder, conv_bn, run_stages
from anyview.errors import InputError, unknown

DEPTHS: dict[int, tuple[bool, list[int]]] = {  # bottleneck blocks or not, blocks of each stage (table 1)
    18: (False, [2, 2, 2, 2]),
    34: (False, [3, 4, 6, 3]),
    50: (True, [3, 4, 6, 3]),
}
STEMS = ("small", "standard")


class Residual(nn.Module):
    """``relu(shortcut(x) + branch(x))`` (equation 1); the shortcut is a 1x1 convolution where shapes differ.

    The bottleneck's stride is in its 3x3 convolution, as everybody has done since ("v1.5").
    """

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool, zero_init: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            layers = [
                *conv_bn(inputs, width, 1),
                nn.ReLU(inplace=True),
                *conv_bn(width, width, 3, stride),
                nn.ReLU(inplace=True),
                *conv_bn(width, outputs, 1),
            ]
        else:
            layers = [*conv_bn(inputs, width, 3, stride), nn.ReLU(inplace=True), *conv_bn(width, outputs, 3)]
        last = layers[-1]
        if zero_init and isinstance(last, nn.BatchNorm2d):
            nn.init.zeros_(last.weight)  # every block starts as identity (arXiv:1706.02677, section 5.1)
        self.branch = nn.Sequential(*layers)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_bn(inputs, outputs, 1, stride))
        self.relu = nn.ReLU(inplace=True)

    def forward(
        self, x: Float[Tensor, "batch inputs rows columns"]
    ) -> Float[Tensor, "batch outputs new_rows new_columns"]:
        return self.relu(self.branch(x).add_(self.shortcut(x)))  # in place: large maps cost bandwidth


class ResNet(MapEncoder):
    """ResNet-18, -34 or -50. Layers: 0 the stem, 1 to 4 the stages.

    Args:
        channels: channels of the images.
        layers: 18, 34 or 50.
        width: channels of the first stage, 64 in the paper; ``dim`` is 8 times that, or 32 with bottlenecks.
        stem: ``small`` (3x3, stride 1, no pooling: for images up to 64 px, as SimCLR does on CIFAR-10,
            arXiv:2002.05709, appendix B.9) or ``standard`` (7x7, stride 2, max pool).
        zero_init: start the last batch norm of every block at 0.

    Raises:
        InputError: for a depth or stem that does not exist.
    """

    depth = 4

    def __init__(
        self,
        channels: int = 3,
        layers: int = 18,
        width: int = 64,
        stem: str = "small",
        zero_init: bool = True,
    ) -> None:
        super().__init__(channels)
        if layers not in DEPTHS:
            raise InputError(f"no ResNet with {layers} layers; take one of {', '.join(map(str, DEPTHS))}")
        if stem not in STEMS:
            raise unknown("stem", stem, STEMS)
        bottleneck, blocks = DEPTHS[layers]
        if stem == "small":
            first = [*conv_bn(channels, width, 3), nn.ReLU(inplace=True)]
        else:
            first = [*conv_bn(channels, width, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
        stages, inputs = [nn.Sequential(*first)], width
        for i, count in enumerate(blocks):
            stage = []
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                stage.append(Residual(inputs, width * 2**i, stride, bottleneck, zero_init))
                inputs = width * 2**i * (4 if bottleneck else 1)
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)
        self.dim = inputs
        self.stride = 8 if stem == "small" else 32

    def maps(self, x: Images, layers: list[int] | None = None) -> list[Tensor]:
        return run_stages(self.stages, x, layers)
