"""Views of table rows: some cells take the values of other rows, some are hidden."""

from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from anyview.data.batch import Batch
from anyview.data.table.columns import MISSING
from anyview.errors import InputError
from anyview.views.base import Views

Rows = dict[str, Tensor]  # numeric (batch, k) with NaN for missing, categorical (batch, m)


class TableViews(Views):
    """Views of rows, each with its own share of cells corrupted and hidden.

    A corrupted cell takes its value from a random row of the batch, each cell from a row of its own, which
    draws it from the marginal of its column (SCARF, arXiv:2106.15147, section 3). A hidden cell is missing.
    ``meta`` has ``corrupted`` and ``hidden``, ``(batch, cells)`` bool, numeric cells first.

    Args:
        parts: ``(corruption, hidden, count)``: shares of the cells, and the number of such views.
    """

    def __init__(self, parts: list[tuple[float, float, int]]) -> None:
        self.parts = [part[:2] for part in parts for _ in range(part[2])]
        self.count = len(self.parts)
        if self.count < 1:
            raise InputError("views of rows need a count of at least 1")
        wrong = [share for part in self.parts for share in part if not 0 <= share <= 1]
        if wrong:
            raise InputError(f"a share of cells lies between 0 and 1, not at {wrong[0]:g}")

    def __call__(self, batch: Batch) -> list[Batch]:
        return [self.view(batch, *part) for part in self.parts]

    def view(self, batch: Batch, corruption: float, hiding: float) -> Batch:
        numeric, categorical = batch.x["numeric"], batch.x["categorical"]
        rows, k, device = len(batch), numeric.shape[1], numeric.device
        cells = k + categorical.shape[1]
        corrupted, hidden = (random_cells(rows, cells, share, device) for share in (corruption, hiding))
        donor = torch.randint(rows, (rows, cells), device=device)
        numeric = torch.where(corrupted[:, :k], numeric.gather(0, donor[:, :k]), numeric)
        categorical = torch.where(corrupted[:, k:], categorical.gather(0, donor[:, k:]), categorical)
        x = {
            "numeric": numeric.masked_fill(hidden[:, :k], torch.nan),
            "categorical": categorical.masked_fill(hidden[:, k:], MISSING),
        }
        return batch.with_x(x, corrupted=corrupted, hidden=hidden)


def random_cells(rows: int, cells: int, share: float, device: torch.device) -> Bool[Tensor, "rows cells"]:
    """``round(share * cells)`` cells of every row, each equally likely."""
    return torch.rand(rows, cells, device=device).argsort(1).argsort(1) < round(share * cells)


def two_views(
    spec: dict[str, Any], *, corruption: float = 0.6, hidden: float = 0.0, symmetric: bool = False
) -> TableViews:
    """The row itself and a corrupted one, as SCARF (arXiv:2106.15147, algorithm 1).

    Args:
        spec: what the rows are like.
        corruption: share of the cells that take the value of another row.
        hidden: share of the cells that are missing in both views.
        symmetric: corrupt both views.
    """
    return TableViews([(corruption if symmetric else 0.0, hidden, 1), (corruption, hidden, 1)])


def multi_view(
    spec: dict[str, Any], *, count: int = 4, corruption: float = 0.4, hidden: float = 0.0
) -> TableViews:
    """Any number of views of each row, all of one distribution.

    Args:
        spec: what the rows are like.
        count: number of views.
        corruption: share of the cells that take the value of another row.
        hidden: share of the cells that are missing.
    """
    return TableViews([(corruption, hidden, count)])


def multi_crop(
    spec: dict[str, Any],
    *,
    global_count: int = 2,
    local_count: int = 4,
    corruption: float = 0.2,
    global_hidden: float = 0.1,
    local_hidden: float = 0.6,
) -> TableViews:
    """A few views of most columns and several of few columns, as subsets of features are cropped in SubTab
    (arXiv:2110.04361).

    Args:
        spec: what the rows are like.
        global_count: number of views of most columns, which come first.
        local_count: number of views of few columns.
        corruption: share of the cells that take the value of another row.
        global_hidden: share of the cells that are missing in global views.
        local_hidden: share of the cells that are missing in local views.
    """
    return TableViews([(corruption, global_hidden, global_count), (corruption, local_hidden, local_count)])


def plain_view(spec: dict[str, Any], *, corruption: float = 0.0) -> TableViews:
    """The row itself, for masked methods.

    Args:
        spec: what the rows are like.
        corruption: share of the cells that take the value of another row.
    """
    return TableViews([(corruption, 0.0, 1)])
