"""The table of speed: every path beside its peer, from the figures that ``results`` keeps."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.table import shares

RESULTS = Path(__file__).parent / "results"

Record = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A path and what it is compared with.

    Args:
        file: of ``benchmarks/results``; ``command`` measures it again.
        ratio: the figure in it.
        target: what was asked for: at least, or with ``least`` False at most.
        bound: what bounds it and what was tried, where the target was not reached.
    """

    path: str
    peer: str
    file: str
    command: str
    ratio: Callable[[Record], float]
    target: float
    least: bool = True
    unit: str = "x"
    bound: str | Callable[[Record], str] = ""


def figure(name: str) -> Callable[[Record], float]:
    return lambda kept: kept["figures"][name]["median"]


def step(method: str, peer: str) -> Callable[[Record], float]:
    return lambda kept: kept["ratios"][method][peer]["median"]


def loss(name: str, what: str) -> Callable[[Record], float]:
    return lambda kept: kept["rows"][name][what]


def network(method: str) -> Callable[[Record], str]:
    """The share of a step that is the network's own, which nothing around it can spare."""

    def words(kept: Record) -> str:
        share = shares(kept["raw"][method]["anyview"])
        return f"{100 * (1 - share['outside']):.0f} % of the step is the network's products, the same on both sides"

    return words


def alone(peer: str) -> Callable[[Record], str]:
    """What the bare networks would reach on batches that are there already."""

    def words(kept: Record) -> str:
        bare, theirs = (kept["images_per_s"][name]["median"] for name in ("network", peer))
        return f"the network alone, without views, loss and loop, would be {bare / theirs:.2f} x"

    return words


def cores(kept: Record) -> str:
    apart, limit = (kept["limits"][name]["median"] for name in ("convnet-s", "resnet18"))
    return (
        f"two that never speak to each other reach {apart:.2f} x together, since one has both cores for its threads "
        f"(ResNet-18: {kept['ratios']['resnet18']['median']:.2f} x, never speaking {limit:.2f} x)"
    )


def stages(side: str, tried: str) -> Callable[[Record], str]:
    """What views of a side spend their time on."""

    def words(kept: Record) -> str:
        found = kept["raw"]["views"][side]["stages"]
        largest = sorted(((v, k) for k, v in found.items() if k != "other" and v), reverse=True)
        return f"of the time {', '.join(f'{100 * v:.0f} % is {k}' for v, k in largest)}; {tried}"

    return words


def similarities(kept: Record) -> str:
    share = kept["bounds"]["similarities"] / _middle(kept["seconds"]["knn"])
    return (
        f"the product of all similarities alone is {100 * share:.0f} % of the time; the rest finds the largest and, "
        "with bf16, proves the winner or compares again"
    )


def passes(kept: Record) -> str:
    count = kept["bounds"]["passes"]
    share = count * kept["bounds"]["pass"] / _middle(kept["seconds"]["linear"])
    return f"{count} passes over the data, whose products alone are {100 * share:.0f} % of the time"


def reached(kept: Record) -> str:
    runs = kept["runs"]
    ours = ", ".join(f"{run['knn']:.1f} % after {run['minutes']:.1f}" for run in runs["anyview"])
    return f"lightly has {runs['lightly']['knn']:.1f} % after {runs['lightly']['minutes']:.1f} minutes, anyview {ours}"


RUN, STEPS, LOSSES, EMBED = (
    f"python -m benchmarks.{name}" for name in ("simclr", "steps", "losses", "embedding")
)


def _steps(path: str, method: str) -> list[Row]:
    """A step of a method beside both peers, in both precisions."""
    return [
        Row(
            path if (peer, precision) == ("lightly", "fp32") else "the same",
            f"{peer}, {precision}",
            "steps",
            STEPS,
            step(method, f"{peer} {precision}"),
            least,
            bound=network(method),
        )
        for peer in ("lightly", "stable-pretraining")
        for precision, least in (("fp32", 2.5), ("bf16", 1.5))
    ]


def _views(path: str, side: int, least: float, tried: str) -> list[Row]:
    """Views of a side beside each peer's."""
    peers = {
        "lightly": "lightly's transform",
        "kornia": "kornia, on whole batches",
        "torchvision": "torchvision's v2, on whole batches with one draw for all their images",
    }
    return [
        Row(
            path if name == "lightly" else "the same",
            said,
            "simclr",
            RUN,
            figure(f"views at {side} px, {name}"),
            least,
            bound=stages(str(side), tried) if name == "lightly" else "as above",
        )
        for name, said in peers.items()
    ]


ROWS = (
    Row(
        "SimCLR step, ResNet-18, 32 px, batch 128",
        "lightly, fp32, its default",
        "simclr",
        RUN,
        figure("vs lightly default"),
        2.5,
        bound=alone("lightly fp32"),
    ),
    Row(
        "the same",
        "lightly, bf16",
        "simclr",
        RUN,
        figure("vs lightly bf16"),
        1.2,
        bound=alone("lightly bf16"),
    ),
    Row(
        "the same",
        "stable-pretraining, fp32, its trainer's default",
        "simclr",
        RUN,
        figure("vs stable-pretraining default"),
        2,
        bound=alone("stable-pretraining fp32"),
    ),
    Row(
        "the same",
        "stable-pretraining, bf16",
        "simclr",
        RUN,
        figure("vs stable-pretraining bf16"),
        1.2,
        bound=alone("stable-pretraining bf16"),
    ),
    *_steps("DINO step, ViT-tiny, 2 + 6 crops", "dino"),
    *_steps("MAE step, ViT-tiny, 32 px", "mae"),
    *_views(
        "two views, 32 px, one core",
        32,
        15,
        "one by one, as large views are made, it is slower, see architecture.md",
    ),
    *_views(
        "two views, 224 px, one core",
        224,
        5,
        "bytes are resized as bytes and of a blur only the band is multiplied, see architecture.md",
    ),
    Row("NT-Xent, 8,192 x 128: time", "lightly", "losses", LOSSES, loss("NT-Xent, 8,192 x 128", "quick"), 3),
    Row(
        "NT-Xent, 8,192 x 128: memory",
        "lightly",
        "losses",
        LOSSES,
        loss("NT-Xent, 8,192 x 128", "memory"),
        0.1,
        False,
    ),
    Row(
        "NT-Xent, 65,536 x 128: memory",
        "",
        "losses",
        LOSSES,
        lambda kept: kept["rows"]["NT-Xent, 65,536 x 128"]["ours"]["mb"],
        2000,
        False,
        "MB",
    ),
    Row(
        "SigLIP, 8,192 x 128: memory",
        "straightforward",
        "losses",
        LOSSES,
        loss("SigLIP, 8,192 x 128", "memory"),
        0.25,
        False,
    ),
    Row(
        "Sinkhorn, 16,384 x 3,000: memory",
        "straightforward",
        "losses",
        LOSSES,
        loss("Sinkhorn, 16,384 x 3,000", "memory"),
        0.25,
        False,
        bound="scores and codes, which are its input and output, are half of it",
    ),
    Row(
        "VICReg, 256 x 8,192: memory",
        "straightforward",
        "losses",
        LOSSES,
        loss("VICReg, 256 x 8,192", "memory"),
        0.25,
        False,
    ),
    Row(
        "Barlow Twins, 256 x 8,192: memory",
        "straightforward",
        "losses",
        LOSSES,
        loss("Barlow Twins, 256 x 8,192", "memory"),
        0.25,
        False,
    ),
    Row(
        "an epoch of spoken digits, as long as they are",
        "all padded to the longest",
        "ragged",
        "python -m benchmarks.ragged",
        lambda kept: kept["ratios"]["groups against dataset's longest"],
        2,
    ),
    Row(
        "`embed`, 10,000 sentences, MiniLM",
        "sentence-transformers",
        "embedding",
        EMBED,
        lambda kept: kept["sentences"]["ratio"]["median"],
        2,
    ),
    Row(
        "`embed`, JPEGs, timm's ResNet-18",
        "timm and a DataLoader",
        "embedding",
        EMBED,
        lambda kept: kept["images"]["ratio"]["median"],
        1.5,
    ),
    Row(
        "nearest neighbours of 10,000 in 50,000",
        "lightly's `knn_predict`",
        "judging",
        "python -m benchmarks.judging",
        lambda kept: _middle(kept["ratios"]["knn vs lightly"]),
        2,
        bound=similarities,
    ),
    Row(
        "linear layer on 50,000",
        "100 epochs of SGD",
        "judging",
        "python -m benchmarks.judging",
        lambda kept: _middle(kept["ratios"]["linear vs SGD"]),
        5,
        bound=passes,
    ),
    Row(
        "two processes, convnet-s",
        "one process",
        "processes",
        "python -m benchmarks.processes",
        lambda kept: kept["ratios"]["convnet-s"]["median"],
        1.7,
        bound=cores,
    ),
    Row(
        "Deep Graph Infomax on Cora, full batch",
        "PyG's example",
        "graph",
        "python -m benchmarks.graph",
        lambda kept: kept["ratio"]["median"],
        3,
    ),
    Row(
        "SimCLR on CIFAR-10 as good by nearest neighbours as lightly's after some minutes",
        "lightly's example, the same small ResNet",
        "accuracy",
        "python -m benchmarks.accuracy",
        lambda kept: kept["ratio"],
        3,
        bound=reached,
    ),
    Row("`import anyview`", "", "simclr", RUN, figure("import anyview"), 0.3, False, "s"),
    Row("`anyview --help`", "", "simclr", RUN, figure("anyview --help"), 0.3, False, "s"),
)


def _why_not(row: Row, kept: Record) -> str:
    bound = row.bound if isinstance(row.bound, str) else row.bound(kept)
    return f"no: {bound}" if bound else "no"


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def cells(results: Path = RESULTS) -> list[tuple[str, ...]]:
    """The table's lines: path, beside what, measured, asked for, whether it was reached, where and when."""
    lines = []
    for row in ROWS:
        path = results / f"{row.file}.json"
        kept = json.loads(path.read_text()) if path.is_file() else None
        asked = f"{'≥' if row.least else '≤'} {row.target:g} {row.unit}"
        try:
            found = None if kept is None else row.ratio(kept)
        except KeyError:  # kept before it was measured
            found = None
        if kept is None or found is None:
            lines.append((row.path, row.peer, "not yet", asked, "", f"`{row.command}`"))
            continue
        held = found >= row.target if row.least else found <= row.target
        verdict = "yes" if held else _why_not(row, kept)
        flags = set(kept["machine"]["flags"]) & machine.BF16
        where = f"{kept['date'][:10]}, {'with' if flags else 'without'} bf16; `{row.command}`"
        lines.append((row.path, row.peer, f"{found:,.3g} {row.unit}", asked, verdict, where))
    return lines
