"""Encoders of tables: multi-layer perceptrons over the embedded cells of a row."""

from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from anyview.encoders.base import Encoder
from anyview.encoders.families import Builder, Input
from anyview.encoders.tokenizers.table import Rows, TableTokenizer


class TableMLP(Encoder):
    """Every cell as a short vector, side by side through linear layers with ReLU and a norm of the row alone.

    It gives one vector a row and no tokens. The net of SCARF (arXiv:2106.15147, section 4) with embedded cells
    in place of one-hot ones, and layer norm.

    Args:
        tokenizer: embeds the cells.
        width: of every layer, and of the result.
        depth: number of layers.
    """

    def __init__(self, tokenizer: TableTokenizer, width: int, depth: int) -> None:
        super().__init__()
        self.dim, self.depth, self.tokenizer = width, depth, tokenizer
        inputs = tokenizer.grid[0] * tokenizer.dim
        layers: list[nn.Module] = []
        for i in range(depth):
            layers += [nn.Linear(width if i else inputs, width), nn.LayerNorm(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Rows) -> Float[Tensor, "batch dim"]:
        return self.layers(self.tokenizer.embed(x).values.flatten(1))


def mlp(input: Input, *, width: int = 128, depth: int = 3, cell: int = 8) -> TableMLP:
    """See ``TableMLP``; ``cell`` is the width of an embedded cell."""
    return TableMLP(TableTokenizer.of(input, cell, None), width, depth)


BUILDERS = {
    "mlp-s": Builder(mlp, ("table",)),
    "mlp-m": Builder(partial(mlp, width=256, depth=4), ("table",)),
}
