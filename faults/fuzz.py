"""Files of random content, and good files with random damage, given to ``anyview.open`` as they are.

Every reader is reached, by name or by ending. Anything but a dataset or one printable ``InputError`` is a fault; so is
a sample that was accepted and cannot be fetched.
"""

import json
import random
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from anyview import data as data_room
from anyview.errors import InputError, RunError


def _image(path: Path) -> None:
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(path)


def _table(path: Path) -> None:
    table = pa.table({"a": [1.0, None, 3.0, 4.0], "b": ["x", "y", "x", None], "label": [0, 1, 0, 1]})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        path.write_text("a,b,label\n1,x,0\n,y,1\n3,x,0\n4,,1\n")


def _events(path: Path) -> None:
    path.write_text("entity,time,kind,amount\n" + "".join(f"{i % 3},{i},k{i % 2},{i}.5\n" for i in range(12)))


def _archive(path: Path) -> None:
    if path.suffix == ".npy":
        np.save(path, np.arange(256, dtype=np.uint8).reshape(4, 8, 8))
    else:
        np.savez(path, x=np.arange(256, dtype=np.uint8).reshape(4, 8, 8), y=np.arange(4))


def _graph(path: Path) -> None:
    edges = np.array([[0, 1, 2, 3], [1, 2, 3, 0]])
    np.savez(path, x=np.eye(4, dtype=np.float32), edge_index=edges, y=np.arange(4) % 2)


def _text(path: Path) -> None:
    path.write_text("one line\nanother line\nand a third one\n")


def _smiles(path: Path) -> None:
    path.write_text("smiles,label\nCCO,0\nc1ccccc1,1\nCC(=O)O,0\nC.C,1\n")


def _wave(path: Path) -> None:
    import soundfile

    soundfile.write(path, np.sin(np.arange(800) / 5), 8000)


def _video(path: Path) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.height, stream.width, stream.pix_fmt = 16, 24, "yuv420p"
        for i in range(4):
            frame = np.full((16, 24, 3), 60 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))


def _records(path: Path) -> None:
    rows = [{"a": 1.5, "b": "x"}, {"a": None, "b": "y"}, {"a": 3.5, "b": "x"}]
    lines = [json.dumps(row) for row in rows]
    path.write_text(f"[{','.join(lines)}]" if path.suffix == ".json" else "\n".join(lines) + "\n")


def _captioned(path: Path) -> None:
    image = path.with_suffix(".png")
    _image(image)
    rows = {"image": [image.read_bytes()] * 3, "caption": ["a red cat", "a blue dog", "two green birds"]}
    image.unlink()
    pq.write_table(pa.table(rows), path)


def _volume(path: Path) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(np.arange(2**15).astype(np.uint8).reshape(32, 32, 32), np.eye(4)), path)


#: a good file of each kind -> what writes it, and the modality it is opened as (None is recognised)
GOOD: dict[str, tuple[Callable[[Path], None], str | None]] = {
    "a.png": (_image, None),
    "a.jpg": (_image, None),
    "a.gif": (_image, None),
    "a.tiff": (_image, None),
    "t.parquet": (_table, "table"),
    "t.csv": (_table, "table"),
    "e.csv": (_events, "events"),
    "s.csv": (_events, "series"),
    "x.npy": (_archive, "image"),
    "x.npz": (_archive, "image"),
    "v.npy": (_archive, "series"),
    "g.npz": (_graph, "graph"),
    "w.txt": (_text, "text"),
    "m.csv": (_smiles, "molecule"),
    "a.wav": (_wave, "audio"),
    "a.flac": (_wave, "audio"),
    "b.nii": (_volume, "volume"),
    "b.nii.gz": (_volume, "volume"),
    "v.avi": (_video, "video"),
    "r.json": (_records, "table"),
    "r.jsonl": (_records, "table"),
    "c.parquet": (_captioned, "image_text"),
}


def damaged(content: bytes, draw: random.Random) -> bytes:
    """One kind of damage: cut, bits flipped, a block doubled, zeroed, taken out, or all of it noise."""
    kind, size = draw.randrange(7), len(content)
    a, b = sorted((draw.randrange(size + 1), draw.randrange(size + 1)))
    if kind == 0:
        return content[:a]
    if kind == 1:
        changed = bytearray(content)
        for _ in range(draw.randint(1, 8)):
            changed[draw.randrange(size)] ^= 1 << draw.randrange(8)
        return bytes(changed)
    if kind == 2:
        return content[:b] + content[a:]
    if kind == 3:
        return content[:a] + bytes(b - a) + content[b:]
    if kind == 4:
        return content[:a] + content[b:]
    if kind == 5:
        return draw.randbytes(draw.randint(0, 400))
    return content[:a] + draw.randbytes(8) + content[a:]


def attempt(name: str, content: bytes, folder: Path) -> str:
    """Opens what a file of this name would hold, and fetches two samples: ``read`` or ``refused``.

    Raises:
        AssertionError: for anything else.
    """
    (folder / name).write_bytes(content)
    try:
        found = data_room.open(folder / name, modality=GOOD[name][1])
        for split in found.splits.values():
            split.fetch(torch.arange(min(2, len(split))))
        return "read"
    except (InputError, RunError) as error:
        if str(error).isprintable() and str(error):
            return "refused"
        raise AssertionError(f"{name}: no line for a person: {error!r}") from error
    except Exception as error:
        raise AssertionError(f"{name} of {content!r:.300}: {type(error).__name__}: {error}") from error


def run(tries: int, seed: int = 0) -> dict[str, object]:
    """So many damaged files over all kinds.

    Returns:
        ``tried``, how many were ``read`` all the same and how many ``refused``, and ``faults``: what was neither.
    """
    draw, count, faults = random.Random(seed), Counter[str](), []
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        good = {}
        for kind, (write, _) in GOOD.items():
            write(folder / kind)
            good[kind] = (folder / kind).read_bytes()
            assert attempt(kind, good[kind], folder) == "read", f"{kind} is not good to begin with"
            (folder / kind).unlink()
        for i in range(tries):
            kind = list(good)[i % len(good)]
            try:
                count[attempt(kind, damaged(good[kind], draw), folder)] += 1
            except AssertionError as error:
                faults.append(str(error))
    return {"tried": tries, "read": count["read"], "refused": count["refused"], "faults": faults}
