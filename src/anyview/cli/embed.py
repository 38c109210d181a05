"""``anyview embed RUN DATA --out vectors.parquet``"""

import os
from pathlib import Path

from anyview.cli.common import Parser, console, say_lines
from anyview.cli.encoder import ENCODER, elsewhere_options, load_encoder
from anyview.errors import InputError
from anyview.training.vectors import FORMATS, write_vectors


def run(args: list[str]) -> int:
    p = Parser("embed", "Write the embeddings of all samples, in order.")
    p.add_argument("run", help=ENCODER)
    p.add_argument("data", help="a folder, a file, or a named dataset")
    p.add_argument(
        "--out",
        required=True,
        help="vectors.parquet (split, index, label, vector) or vectors.npy (samples, dim)",
    )
    p.add_argument("--split", help="one split of data that has several (default: all, in order)")
    p.add_argument("--batch-size", type=int, default=256, help="samples at a time (default 256)")
    p.add_argument("--device", default="auto", help="cpu, cuda, mps or auto")
    p.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"], help="number format")
    elsewhere_options(p)
    found = p.parse_all(args)
    path = Path(found.out)
    if path.suffix not in FORMATS:
        raise InputError(f"--out {path} should end in {' or '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent} for --out; make it first")
    if not os.access(path.parent, os.W_OK) or path.is_dir():
        raise InputError(f"cannot write {path}; name another --out")
    model = load_encoder(found)
    opened = model.open_all(found.data)
    sources = {found.split: opened.split(found.split)} if found.split else opened.splits
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
