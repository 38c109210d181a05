"""Fuzzing that is led by the code it reaches (atheris, libFuzzer): ``make fuzz``.

Every family of readers is fuzzed in a process of its own, from good files and pieces of real ones. Anything but a
dataset or one printable line is a finding: its input is saved and the fuzzing goes on. A crash, more memory than
``MEMORY`` or an input that takes longer than ``HANG`` ends the family, and is a finding too.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

#: readers -> names of files, as in ``fuzz.GOOD``; the first byte of an input says which
FAMILIES = {
    "images": ["a.png", "a.jpg", "a.gif", "a.tiff", "x.npy", "x.npz"],
    "audio": ["a.wav", "a.flac"],
    "tables": ["t.csv", "t.parquet", "r.json", "r.jsonl"],
    "events": ["e.csv"],
    "series": ["s.csv", "v.npy"],
    "graphs": ["g.npz"],
    "texts": ["w.txt"],
    "molecules": ["m.csv"],
    "volumes": ["b.nii", "b.nii.gz"],
    "videos": ["v.avi"],
    "pairs": ["c.parquet"],
}
HANG, MEMORY = 20, 6144  #: seconds, MiB
FINDINGS = Path("faults/findings")


def cores() -> int:
    """Not that of ``anyview``, which must not be imported before it is instrumented."""
    return os.cpu_count() or 1


def available() -> bool:
    """Whether atheris is installed (the extra ``fuzz``)."""
    return importlib.util.find_spec("atheris") is not None


def run(seconds: int, families: list[str] | None = None, out: Path = FINDINGS) -> dict[str, Any]:
    """Fuzzes each family for so long, as many at once as there are cores.

    Returns:
        ``tried`` and ``reached`` (edges of the code) by family, and the ``findings``, saved below ``out``.
    """
    names = families or list(FAMILIES)
    with ThreadPoolExecutor(cores()) as pool:
        said = list(pool.map(lambda family: _apart(family, seconds, out / family), names))
    tried = {
        family: _last(r"(?:stat::number_of_executed_units:\s*|^#)(\d+)", text)
        for family, text in zip(names, said)
    }
    reached = {family: _last(r"cov: (\d+)", text) for family, text in zip(names, said)}
    saved = sorted(path for family in names for path in (out / family).iterdir())
    findings = [str(p) for p in saved if p.suffix != ".txt" and not p.name.startswith("slow-unit")]
    for family, text in zip(names, said):
        if not tried[family]:
            findings.append(f"{family} did not begin: {' '.join(text.split())[-300:]}")
    return {"tried": tried, "reached": reached, "findings": findings}


def _apart(family: str, seconds: int, out: Path) -> str:
    """Fuzzes a family in a process of its own; what libFuzzer said."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "faults.guided", "--inside", work, family, "--seconds", str(seconds)]
        done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, errors="replace")
    return done.stderr


def _last(pattern: str, text: str) -> int:
    """What libFuzzer said last; after a crash there are no final figures."""
    return int((re.findall(pattern, text, re.MULTILINE) or [0])[-1])


def inside(family: str, seconds: int, work: Path, out: Path) -> None:
    """Fuzzes one family in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["anyview.data"]):
        from anyview.data.readers import readers
        from faults import fuzz
        from faults.seeds import pieces

        readers()
    warnings.simplefilter("ignore")
    # no sum is compared, so that damage gets behind what would stop it at once
    zipfile.ZipExtFile._update_crc = lambda self, content: None  # type: ignore[method-assign]
    names, seen = FAMILIES[family], set[str]()
    corpus = work / "corpus"
    corpus.mkdir()
    data = os.environ.get("ANYVIEW_DATA")
    seeds = list(pieces(Path(data))) if data else []
    for name in names:
        fuzz.GOOD[name][0](work / name)
        seeds.append((name, (work / name).read_bytes()))
    for i, (name, content) in enumerate(seeds):
        if name in names:
            (corpus / f"{i}-{name}").write_bytes(bytes([names.index(name)]) + content)

    def one(content: bytes) -> None:
        name = names[content[0] % len(names)] if content else names[0]
        try:
            fuzz.attempt(name, content[1:], work)
        except AssertionError as error:
            place = _place(error.__cause__ or error)
            if place not in seen:
                seen.add(place)
                saved = out / f"{hashlib.sha256(place.encode()).hexdigest()[:12]}-{name}"
                saved.write_bytes(content[1:])
                saved.with_name(f"{saved.name}.txt").write_text(f"{place}\n{error}\n")

    flags = [f"-max_total_time={seconds}", f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}", "-max_len=65536"]
    flags += ["-print_final_stats=1", "-detect_leaks=0", f"-artifact_prefix={out}/"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one)
    atheris.Fuzz()


def _place(error: BaseException) -> str:
    """What went wrong, and the last line of anyview that it went through: one finding for each such place."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "anyview" in f.filename]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {where}"


def main() -> int:
    p = argparse.ArgumentParser(description="Coverage-guided fuzz of the readers.")
    p.add_argument("families", nargs="*", choices=[[], *FAMILIES], help="all, unless some are named")
    p.add_argument("--seconds", type=int, default=60, help="for each family")
    p.add_argument("--out", type=Path, default=FINDINGS, help="where inputs that fail are saved")
    p.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    args = p.parse_args()
    if not available():
        print('error: this needs atheris; install it with: pip install -e ".[fuzz]"', file=sys.stderr)
        return 2
    if args.inside:
        inside(args.families[0], args.seconds, args.inside, args.out)
    found = run(args.seconds, args.families, args.out)
    for family, tried in found["tried"].items():
        print(f"{family:<10} {tried:>9,} inputs, {found['reached'][family]:,} edges reached")
    for finding in found["findings"]:
        print(f"FOUND: {finding}", file=sys.stderr)
    print(f"{sum(found['tried'].values()):,} inputs, {len(found['findings'])} findings")
    return 1 if found["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
