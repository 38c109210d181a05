"""Table rows as one token a column."""

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from anyview.encoders.base import Targets, Tokenizer, Tokens
from anyview.errors import InputError

Rows = dict[str, Tensor]  # numeric (batch, k) with NaN for missing, categorical (batch, m)


class TableTokenizer(Tokenizer):
    """A token a cell (FT-Transformer, arXiv:2106.11959, section 3.3): a number times its column's vector plus
    its bias, or the vector of a category plus the bias of its column. A missing number has a vector of its own.

    Targets are categories for every column: numbers stand for the bin of their quantile. All columns share one
    space of classes, in which each has its range, the first of them "missing".

    Args:
        edges: of each numeric column, the edges between its bins.
        sizes: of each categorical column, the number of its codes.
        dim: width of a token.
    """

    modality = "table"
    mask_ratio = 0.5
    axes = 1
    target_kind: Literal["continuous", "categorical"] = "categorical"
    edges: Tensor
    starts: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, input: dict[str, Any], dim: int, patch: int | None) -> "TableTokenizer":
        if patch is not None:
            raise InputError("the tokens of a table are its cells; leave patch out")
        return cls(input["edges"], input["sizes"], dim)

    def __init__(self, edges: list[list[float]], sizes: list[int], dim: int) -> None:
        super().__init__()
        self.dim = dim
        cells = len(edges) + len(sizes)
        if not cells:
            raise InputError("a table needs a column to be read")
        self.grid = (cells,)
        longest = max((len(e) for e in edges), default=0)
        padded = [[*e, *[torch.inf] * (longest - len(e))] for e in edges]
        self.register_buffer("edges", torch.tensor(padded).view(len(edges), longest), persistent=False)
        # a numeric column has its bins and "missing"
        classes = torch.tensor([len(e) + 2 for e in edges] + sizes)
        self.register_buffer("starts", classes.cumsum(0) - classes, persistent=False)
        self.target_size = int(classes.sum())
        of_codes = torch.tensor(sizes, dtype=torch.int64)
        self.register_buffer("offsets", of_codes.cumsum(0) - of_codes, persistent=False)
        bound = dim**-0.5
        self.weight = nn.Parameter(torch.empty(len(edges), dim).uniform_(-bound, bound))
        self.missing = nn.Parameter(torch.empty(len(edges), dim).uniform_(-bound, bound))
        self.codes = nn.Parameter(torch.empty(sum(sizes), dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(cells, dim).uniform_(-bound, bound))

    def layout(self, x: Rows) -> tuple[Float[Tensor, "batch cells 1"], Bool[Tensor, "batch cells"]]:
        """The number of the column; all cells are valid, the missing ones too."""
        numeric = x["numeric"]
        coords = torch.arange(self.grid[0], device=numeric.device, dtype=torch.float32)
        valid = torch.ones(len(numeric), self.grid[0], dtype=torch.bool, device=numeric.device)
        return coords[None, :, None].expand(len(numeric), -1, -1), valid

    def embed(self, x: Rows) -> Tokens:
        gone = x["numeric"].isnan()
        value = x["numeric"].masked_fill(gone, 0.0)[..., None] * self.weight
        numeric = torch.where(gone[..., None], self.missing, value)
        categorical = self.codes[x["categorical"] + self.offsets]
        return Tokens(torch.cat([numeric, categorical], 1) + self.bias, *self.layout(x))

    def targets(self, x: Rows) -> Targets:
        return Targets(self.classes(x), self.target_kind, self.target_size)

    def classes(self, x: Rows) -> Int64[Tensor, "batch cells"]:
        """The class of every cell."""
        bins = (x["numeric"][..., None] > self.edges).sum(-1) + 1
        bins = bins.masked_fill(x["numeric"].isnan(), 0)
        return torch.cat([bins, x["categorical"]], 1) + self.starts
