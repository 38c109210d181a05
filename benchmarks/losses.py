"""``python -m benchmarks.losses``: time and memory of objectives at size, beside their straightforward form.

Each runs forward and backward once in a process of its own, on one thread; memory is the growth of the process from
before to its peak, embeddings and their gradient included. Values are compared, so that nobody is quick by being wrong.
Figures are kept in ``results/losses.json``.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks import machine
from benchmarks.contest import apart

RESULT = Path(__file__).parent / "results" / "losses.json"
ROUNDS = 3
ROWS = {  # path -> (ours, the straightforward one, times as quick, share of its memory)
    "NT-Xent, 8,192 x 128": ("nt_xent 8192", "lightly nt_xent 8192", 3.0, 0.1),
    "NT-Xent, 65,536 x 128": ("nt_xent 65536", None, None, None),
    "SigLIP, 8,192 x 128": ("siglip 8192", "plain siglip 8192", None, 0.25),
    "Sinkhorn, 16,384 x 3,000": ("sinkhorn 16384", "plain sinkhorn 16384", None, 0.25),
    "VICReg, 256 x 8,192": ("vicreg 256", "plain vicreg 256", None, 0.25),
    "Barlow Twins, 256 x 8,192": ("barlow 256", "plain barlow 256", None, 0.25),
}
MOST = {"NT-Xent, 65,536 x 128": 2000}  #: MB


def embeddings(views: int, batch: int, dim: int) -> Tensor:
    """Views of one sample are alike, as after some training."""
    torch.manual_seed(0)
    return (torch.randn(1, batch, dim) + 0.5 * torch.randn(views, batch, dim)).requires_grad_()


def contestant(name: str) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Input, and the loss of it."""
    kind, _, size = name.rpartition(" ")
    n = int(size)
    if kind.endswith("nt_xent"):
        return embeddings(2, n // 2, 128), NT_XENT[kind]()
    if kind.endswith("siglip"):
        return embeddings(2, n, 128), {"siglip": siglip, "plain siglip": plain_siglip}[kind]
    if kind.endswith("sinkhorn"):
        torch.manual_seed(0)
        return torch.randn(n, 3000).div_(5).tanh_(), {"sinkhorn": sinkhorn, "plain sinkhorn": plain_sinkhorn}[
            kind
        ]
    forms = {"vicreg": vicreg, "plain vicreg": plain_vicreg, "barlow": barlow, "plain barlow": plain_barlow}
    return embeddings(2, n, 8192), forms[kind]


def our_nt_xent() -> Callable[[Tensor], Tensor]:
    from anyview.objectives.contrastive import nt_xent

    return nt_xent


def lightly_nt_xent() -> Callable[[Tensor], Tensor]:
    from lightly.loss import NTXentLoss

    loss = NTXentLoss()
    return lambda z: loss(z[0], z[1])


NT_XENT = {"nt_xent": our_nt_xent, "lightly nt_xent": lightly_nt_xent}
SCALE, BIAS = torch.tensor(10.0), torch.tensor(-10.0)


def siglip(z: Tensor) -> Tensor:
    from anyview.objectives.pairs import pair_sigmoid

    return pair_sigmoid(z, SCALE, BIAS)


def plain_siglip(z: Tensor) -> Tensor:
    x, y = F.normalize(z, dim=-1)
    logits = SCALE * x @ y.T + BIAS
    sign = 2 * torch.eye(len(x)) - 1
    return -F.logsigmoid(sign * logits).sum() / len(x)


def sinkhorn(scores: Tensor) -> Tensor:
    from anyview.objectives.transport import sinkhorn as ours

    return ours(scores)[:, 0].sum()


def plain_sinkhorn(scores: Tensor) -> Tensor:
    q = torch.exp(scores / 0.05)
    for _ in range(3):
        q = q / q.sum(0, keepdim=True)
        q = q / q.sum(1, keepdim=True)
    return q[:, 0].sum()


def vicreg(z: Tensor) -> Tensor:
    from anyview.objectives.variance import vicreg as ours

    return torch.stack(list(ours(z).values())).sum()


def plain_vicreg(z: Tensor) -> Tensor:
    a, b = z
    n, d = a.shape
    total = 25 * F.mse_loss(a, b)
    for x in (a, b):
        x = x - x.mean(0)
        total = total + 25 * F.relu(1 - (x.var(0) + 1e-4).sqrt()).mean() / 2
        cov = x.T @ x / (n - 1)
        total = total + (cov - cov.diag().diag()).pow(2).sum() / d
    return total


def barlow(z: Tensor) -> Tensor:
    from anyview.objectives.variance import barlow_twins

    return barlow_twins(z)


def plain_barlow(z: Tensor) -> Tensor:
    a, b = ((x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() for x in z)
    c = a.T @ b / len(a)
    off = c - c.diag().diag()
    return (1 - c.diag()).pow(2).sum() + 0.0051 * off.pow(2).sum()


def measured(name: str) -> dict[str, float]:
    """Seconds, MB and the value of one pass."""
    torch.set_num_threads(1)
    x, loss = contestant(name)
    small = x.detach()[..., :16, :16].clone().requires_grad_(x.requires_grad)
    _pass(loss, small)  # imports, and what is set up at first
    before, start = machine.peak(), time.perf_counter()
    value = _pass(loss, x)
    return {"seconds": time.perf_counter() - start, "mb": (machine.peak() - before) / 1e6, "value": value}


def _pass(loss: Callable[[Tensor], Tensor], x: Tensor) -> float:
    value = loss(x)
    if x.requires_grad:
        value.backward()
    return float(value.detach())


def speed(rounds: int = ROUNDS) -> dict[str, dict[str, Any]]:
    """Path -> medians of both, how many times as quick and what share of the memory, and whether values agree."""
    found = {}
    for path, (ours, theirs, _, _) in ROWS.items():
        names = [ours] if theirs is None else [ours, theirs]
        turns = [
            [apart("losses", "--contestant", name) for name in names] for _ in range(rounds if theirs else 1)
        ]
        middle = [
            {key: statistics.median(turn[i][key] for turn in turns) for key in turns[0][i]}
            for i in range(len(names))
        ]
        row: dict[str, Any] = {"ours": middle[0]}
        if theirs is not None:
            row |= {
                "theirs": middle[1],
                "quick": statistics.median(t[1]["seconds"] / t[0]["seconds"] for t in turns),
                "memory": statistics.median(t[0]["mb"] / t[1]["mb"] for t in turns),
                "equal": abs(middle[0]["value"] - middle[1]["value"])
                <= 1e-4 * abs(middle[1]["value"]) + 1e-4,
            }
        found[path] = row
    return found


def held(path: str, row: dict[str, Any]) -> bool:
    _, theirs, quick, memory = ROWS[path]
    if theirs is None:
        return row["ours"]["mb"] < MOST[path]
    return row["equal"] and (quick is None or row["quick"] >= quick) and row["memory"] <= memory


def main() -> int:
    options = _options()
    if options.contestant:
        print(json.dumps(measured(options.contestant)))
        return 0
    start, here = time.monotonic(), machine.describe()
    found = speed(options.rounds)
    table = Table("", "s", "MB", "straightforward s", "MB", "times as quick", "share of memory", "", box=None)
    for path, row in found.items():
        other = row.get("theirs")
        table.add_row(
            path,
            *(f"{row['ours'][k]:,.2f}" for k in ("seconds", "mb")),
            *((f"{other[k]:,.2f}" for k in ("seconds", "mb")) if other else ("", "")),
            *((f"{row[k]:.2f}" for k in ("quick", "memory")) if other else ("", "")),
            "met" if held(path, row) else "NOT MET",
        )
    Console(width=160, highlight=False).print(table)
    record = {**machine.about(start, here), "rows": found, "met": {p: held(p, r) for p, r in found.items()}}
    machine.keep(RESULT, record)
    return 0


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.losses", description=__doc__.partition("\n")[0])
    p.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of each contestant (default: {ROUNDS})")
    p.add_argument("--contestant", help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.rounds < 1:
        p.error("--rounds is at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
