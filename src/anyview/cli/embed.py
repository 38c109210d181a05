"""``anyview embed RUN DATA --out vectors.parquet``"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from anyview.cli.common import Parser, console, say_lines
from anyview.cli.encoder import ENCODER, elsewhere_options, load_encoder
from anyview.data.source import Source
from anyview.encoders.weights import fingerprint
from anyview.errors import InputError, RunError
from anyview.evaluation.kept import claim
from anyview.files import sweep
from anyview.training.gather import launched, take_own_device
from anyview.training.model import Model
from anyview.training.vectors import FORMATS, parts_of, write_parts, write_vectors

MADE_BY = "_vectors.json"  #: what a folder of parts was made by; readers of Parquet pass over such names
ROWS = 16_384  #: samples of a part
PATIENCE = 300  #: seconds that other processes wait for the first to make the folder


def run(args: list[str]) -> int:
    p = Parser("embed", "Write the embeddings of all samples, in order.")
    p.add_argument("run", help=ENCODER)
    p.add_argument("data", help="a folder, a file, an address, or a named dataset")
    p.add_argument(
        "--out",
        required=True,
        help="vectors.parquet (split, index, label, vector), vectors.npy (samples, dim), or a folder of Parquet "
        "parts, which goes on where it was stopped and is shared by the processes of torchrun",
    )
    p.add_argument("--split", help="one split of data that has several (default: all, in order)")
    p.add_argument("--batch-size", type=int, default=256, help="samples at a time (default 256)")
    p.add_argument("--device", default="auto", help="cpu, cuda, mps or auto")
    p.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "near", "fp32", "bf16"],
        help="number format; near is bf16 where it is quick and gives about the same vectors, which is what auto "
        "means for an encoder that others made",
    )
    elsewhere_options(p)
    found = p.parse_all(args)
    path = Path(found.out)
    if path.suffix and path.suffix not in FORMATS:
        raise InputError(f"--out {path} should end in {' or '.join(FORMATS)}, or name a folder")
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent} for --out; make it first")
    if not os.access(path.parent, os.W_OK) or (path.suffix and path.is_dir()):
        raise InputError(f"cannot write {path}; name another --out")
    model = load_encoder(found)
    found.precision = model.quick(found.precision)
    opened = model.open_all(found.data)
    sources = {found.split: opened.split(found.split)} if found.split else opened.splits
    if not path.suffix:
        return in_parts(path, model, sources, found)
    out, how = console(), {k: getattr(found, k) for k in ("batch_size", "device", "precision")}
    parts = {}
    for split, source in sources.items():
        with out.status(f"embedding {len(source):,} {model.modality.unit}"):
            parts[split] = model.embed_source(source, **how).numpy(), source
    write_vectors(path, parts)
    rows, width = sum(len(vectors) for vectors, _ in parts.values()), model.dim
    each = " · " + " then ".join(f"{len(v):,} {split}" for split, (v, _) in parts.items())
    say_lines(out, [("wrote", f"{path} · {rows:,} x {width} float32{each if len(parts) > 1 else ''}")])
    return 0


def in_parts(folder: Path, model: Model, sources: dict[str, Source], found: argparse.Namespace) -> int:
    """Writes this process's share of a folder of parts."""
    rank, processes = launched()
    take_own_device()
    sizes = {name: len(source) for name, source in sources.items()}
    made_by = {
        "encoder": str(found.run),
        "weights": fingerprint(model.encoder),
        "data": str(found.data),
        "samples": sizes,
        "rows": ROWS,
    }
    if rank:
        wait_for(folder / MADE_BY)
    claim(folder, made_by, MADE_BY, "folder of embeddings")
    if processes == 1:
        sweep(folder)  # of what a killed process left; with others about, it may be theirs
    out, how = console(), {k: getattr(found, k) for k in ("batch_size", "device", "precision")}

    def embed(source: Source) -> np.ndarray:
        return model.embed_source(source, **how).numpy()

    mine = parts_of(sizes, ROWS)[rank::processes]
    made = samples = 0
    with out.status(f"embedding {sum(sizes.values()):,} {model.modality.unit}") as status:
        for done, (part, now) in enumerate(write_parts(folder, sources, embed, ROWS, rank, processes), 1):
            made, samples = made + now, samples + part.end - part.start
            status.update(f"embedding · part {done:,} of {len(mine):,}")
    share = f" · process {rank} of {processes}" if processes > 1 else ""
    there = f" ({len(mine) - made:,} were there)" if made < len(mine) else ""
    say_lines(
        out,
        [("wrote", f"{folder} · {samples:,} x {model.dim} float32 in {len(mine):,} parts{there}{share}")],
    )
    return 0


def wait_for(path: Path) -> None:
    """Until the first process has made the folder.

    Raises:
        RunError: when it does not.
    """
    end = time.monotonic() + PATIENCE
    while not path.is_file():
        if time.monotonic() > end:
            raise RunError(f"{path} did not appear in {PATIENCE} s; did the first process stop?")
        time.sleep(0.1)
