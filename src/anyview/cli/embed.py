"""``anyview embed RUN DATA --out vectors.parquet``"""

import os
from pathlib import Path

from anyview.cli.common import Parser, console, say_lines
from anyview.errors import InputError
from anyview.training.model import Model
from anyview.training.vectors import FORMATS, write_vectors


def run(args: list[str]) -> int:
    p = Parser("embed", "Write the embeddings of all samples, in order.")
    p.add_argument("run", help="a run folder, or a saved encoder")
    p.add_argument("data", help="a folder, a file, or a named dataset")
    p.add_argument(
        "--out", required=True, help="vectors.parquet (index, label, vector) or vectors.npy (samples, dim)"
    )
    p.add_argument("--split", help="which split of data that has several")
    p.add_argument("--batch-size", type=int, default=256, help="samples at a time (default 256)")
    p.add_argument("--device", default="auto", help="cpu, cuda, mps or auto")
    p.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"], help="number format")
    found = p.parse_all(args)
    path = Path(found.out)
    if path.suffix not in FORMATS:
        raise InputError(f"--out {path} should end in {' or '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent} for --out; make it first")
    if not os.access(path.parent, os.W_OK) or path.is_dir():
        raise InputError(f"cannot write {path}; name another --out")
    model = Model.load(found.run)
    source = model.open(found.data, found.split)
    out = console()
    with out.status(f"embedding {len(source):,} {model.modality.unit}"):
        vectors = model.embed_source(
            source, batch_size=found.batch_size, device=found.device, precision=found.precision
        )
        write_vectors(path, vectors.numpy(), source)
    say_lines(out, [("wrote", f"{path} · {vectors.shape[0]:,} x {vectors.shape[1]} float32")])
    return 0
