"""``python -m benchmarks.growth``: how time and memory grow with size, on generated data.

Each point is measured in a process of its own: seconds of one pass, and the growth of the process from before it to its
peak. What counts is the exponent between the two largest sizes: 1 is linear, 2 quadratic. Nothing may grow faster than
the mathematics asks. Figures are kept in ``results/growth.json``, which ``docs/build.py`` draws.
"""

import argparse
import math
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks import machine

RESULT = Path(__file__).parent / "results" / "growth.json"
SLACK = 0.25  #: by which a measured exponent may be above what is allowed: caches end, and clocks are no exact thing
DIM = 128
#: what every path imports
IMPORTED = ["benchmarks.growth", "anyview.training.plan", "anyview.training.step", "anyview.training.vectors"]

Work = Callable[[], object]


# ---- what grows: a size and a folder to work in -> the work of it, all that comes before done


def nt_xent_loss(n: int, folder: Path) -> Work:
    from anyview.objectives.contrastive import nt_xent

    z = torch.randn(2, n // 2, DIM, requires_grad=True)
    return lambda: nt_xent(z).backward()


def batch(n: int, folder: Path) -> Work:
    """A step of VICReg on rows of a table, networks run on 1,024 of them at a time."""
    return step("vicreg", rows(n, folder), n, chunk=1024)


def tokens(n: int, folder: Path) -> Work:
    """A pass and its gradient of a transformer on one series of ``n`` tokens."""
    from anyview.encoders import registry

    input = {"modality": "series", "channels": 1, "length": n}
    encoder = registry.build("patchtst-nano", input, patch=1)
    x = torch.randn(1, 1, n)
    return lambda: encoder(x).sum().backward()


def pixels(n: int, folder: Path) -> Work:
    """A step of SimCLR on 8 images of ``n`` pixels."""
    side = math.isqrt(n)
    return step("simclr", images(side), 8, encoder="convnet-s", **{"views.size": side})


def views(n: int, folder: Path) -> Work:
    """A step of EMP-SSL on 16 images with ``n`` views of each."""
    return step("emp-ssl", images(32), 16, encoder="convnet-s", **{"views.count": n})


def startup(n: int, folder: Path) -> Work:
    """From the name of a file to the first batch of ``pretrain``."""
    from anyview.data.loader import Loader
    from anyview.training.plan import make_plan

    path = rows(n, folder)

    def start() -> None:
        plan = make_plan("simclr", path)
        next(Loader(plan.dataset.train, plan.batch_size))

    return start


def knn(n: int, folder: Path) -> Work:
    """1,000 queries in a bank of ``n``."""
    from anyview.evaluation.features import Labelled
    from anyview.evaluation.protocols.knn import KNN

    bank, query = Labelled(torch.randn(n, DIM), torch.arange(n) % 10), torch.randn(1000, DIM)
    return lambda: KNN(bank, Labelled(query[:100], torch.arange(100) % 10))(query)


def k_means(n: int, folder: Path) -> Work:
    """Ten turns with 100 centroids."""
    from anyview.targets.kmeans import kmeans

    x = torch.randn(n, DIM)
    return lambda: kmeans(x, 100)


def embed(n: int, folder: Path) -> Work:
    """``n`` rows of a table to a folder of Parquet parts."""
    from anyview.training.model import Model
    from anyview.training.plan import make_plan
    from anyview.training.vectors import write_parts

    plan = make_plan("simclr", rows(n, folder))
    model, source = Model(plan.method.encoder, plan.modality, plan.spec), plan.dataset.train
    out = folder / "vectors"
    out.mkdir()
    work = lambda s: model.embed_source(s, batch_size=1024).numpy()  # noqa: E731
    return lambda: list(write_parts(out, {"train": source}, work, 16_384))


def rows(n: int, folder: Path) -> Path:
    """A Parquet file of ``n`` rows of 16 numbers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    x = torch.randn(16, n).cumsum(0).numpy()
    path = folder / "rows.parquet"
    pq.write_table(pa.table({f"number {i}": x[i] for i in range(len(x))}), path)
    return path


def images(side: int) -> Any:
    from anyview.data import open as open_data

    return open_data(torch.randint(0, 256, (64, 3, side, side), dtype=torch.uint8).numpy())


def step(
    method: str, data: Any, size: int, chunk: int | None = None, encoder: str | None = None, **options: Any
) -> Work:
    """One step on ``size`` samples, the first ones."""
    from anyview.training.plan import make_plan
    from anyview.training.step import cached_step, plain_step

    plan = make_plan(method, data, encoder=encoder, options={"batch_size": min(size, 64), **options})
    taken = plan.dataset.train.fetch(torch.arange(size) % len(plan.dataset.train))

    def work() -> None:
        made = plan.method.make_views(taken)
        back: Callable[[Tensor], None] = lambda loss: loss.backward()  # noqa: E731
        if chunk:
            cached_step(plan.method, made, back, chunk)
        else:
            plain_step(plan.method, made, back)

    return work


@dataclass(frozen=True)
class Growth:
    """What grows, along which axis, at which sizes; and the exponents that the mathematics asks for."""

    title: str
    axis: str
    sizes: tuple[int, ...]
    prepare: Callable[[int, Path], Work]
    time: float = 1.0
    memory: float = 1.0


COUNTS = (1_000, 10_000, 100_000, 1_000_000)
PATHS = {
    "nt-xent": Growth(
        "NT-Xent, forward and backward",
        "embeddings of 128",
        (256, 1024, 4096, 16_384, 65_536),
        nt_xent_loss,
        2,
    ),
    "batch": Growth(
        "a step of VICReg by chunks of 1,024", "rows in a batch", (64, 256, 1024, 4096, 16_384, 65_536), batch
    ),
    "tokens": Growth(
        "a transformer, forward and backward", "tokens of a sample", (128, 512, 2048, 8192, 32_768), tokens, 2
    ),
    "pixels": Growth(
        "a step of SimCLR on 8 images", "pixels of an image", (32**2, 64**2, 128**2, 256**2, 512**2), pixels
    ),
    "views": Growth("a step of EMP-SSL on 16 images", "views of an image", (2, 8, 32, 128), views),
    "startup": Growth("from a Parquet file to the first batch", "rows", COUNTS, startup),
    "knn": Growth("nearest neighbours of 1,000 queries", "embeddings in the bank", COUNTS, knn),
    "k-means": Growth("k-means, 100 centroids, 10 turns", "embeddings", COUNTS, k_means),
    "embed": Growth("`embed` to a folder of parts", "rows", COUNTS, embed, memory=0),
}


def measured(name: str, size: int) -> dict[str, float]:
    """Seconds of one pass, and the MB by which it made the process grow."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        grown = PATHS[name]
        small, large = Path(folder) / "small", Path(folder) / "large"
        small.mkdir(), large.mkdir()
        grown.prepare(grown.sizes[0], small)()  # imports, and what is set up at first
        work = grown.prepare(size, large)
        before, start = _held(), time.perf_counter()
        work()
        seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 5), "mb": round(max(0, machine.peak() - before) / 1e6, 2)}


def point(name: str, size: int) -> dict[str, float]:
    """The same in a process of its own, which begins where one stands that has imported all and done nothing.

    Raises:
        SystemExit: when it fails.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with ProcessPoolExecutor(1, context) as pool:
        try:
            return pool.submit(measured, name, size).result()
        except Exception as error:
            raise SystemExit(f"error: {name} at {size:,} failed: {error}") from error


def _held() -> int:
    """Bytes of memory that it holds, after which the most is counted anew where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return machine.peak()
    held = Path("/proc/self/statm").read_text().split()[1]
    return int(held) * os.sysconf("SC_PAGE_SIZE")


def exponent(points: dict[str, dict[str, float]], what: str) -> float:
    """Between the two largest sizes: what is there at any size is a small part of them."""
    (n, a), (m, b) = [(int(size), max(point[what], 1e-6)) for size, point in points.items()][-2:]
    return math.log(b / a) / math.log(m / n)


def main() -> int:
    options = _options()
    start, here = time.monotonic(), machine.describe()
    console = Console(highlight=False, width=140)
    table = Table("", "sizes", "seconds", "MB", "time grows as", "memory as", "", box=None)
    kept = {}
    for name in options.only or PATHS:
        grown = PATHS[name]
        points = {str(size): point(name, size) for size in grown.sizes}
        found = {what: round(exponent(points, what), 2) for what in ("seconds", "mb")}
        held = found["seconds"] <= grown.time + SLACK and found["mb"] <= grown.memory + SLACK
        table.add_row(
            grown.title,
            f"{grown.sizes[0]:,} to {grown.sizes[-1]:,} {grown.axis}",
            *(
                " to ".join(f"{points[str(grown.sizes[i])][what]:,.4g}" for i in (0, -1))
                for what in ("seconds", "mb")
            ),
            *(f"n^{found[what]:.2f}" for what in ("seconds", "mb")),
            "as it must" if held else "FASTER THAN IT MUST",
        )
        kept[name] = {
            "title": grown.title,
            "axis": grown.axis,
            "points": points,
            "exponents": found,
            "allowed": {"seconds": grown.time, "mb": grown.memory},
            "holds": held,
        }
    console.print(table)
    if options.only:
        return 0
    record = {**machine.about(start, here), "holds": all(k["holds"] for k in kept.values()), "paths": kept}
    machine.keep(RESULT, record)
    return 0


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0])
    p.add_argument(
        "--only", nargs="+", choices=list(PATHS), metavar="NAME", help=f"measure only {', '.join(PATHS)}"
    )
    return p.parse_args()


if __name__ == "__main__":
    sys.exit(main())
