"""Where and with what something was measured."""

import datetime
import json
import os
import platform
import resource
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("anyview", "torch", "torchvision", "pytorch-lightning", "lightly", "numpy", "pillow")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")
BF16 = {"avx512_bf16", "amx_bf16"}  #: instructions without which bf16 crawls and is not compared


def describe() -> dict[str, Any]:
    """Processor, cores this process may use, instructions that decide about precision, memory, load."""
    facts = _cpuinfo()
    flags = set(facts.get("flags", "").split())
    return {
        "cpu": facts.get("model name") or platform.processor() or platform.machine(),
        "cpu_family_model": [facts.get("cpu family"), facts.get("model")],
        "cores": cores(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "system": platform.platform(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "threads_set": {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")},
    }


def said(here: dict[str, Any]) -> str:
    """A machine in a line, and whether something else runs on it."""
    return f"machine   {here['cpu']} · {here['cores']} cores · load {here['load_before']}"


def peak() -> int:
    """Bytes of memory that this process has held at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def about(start: float, here: dict[str, Any]) -> dict[str, Any]:
    """The head of every record: when, at which commit, for how long (since ``start``, monotonic), where, with what."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "minutes": round((time.monotonic() - start) / 60, 2),
        "machine": here,
        "versions": versions(),
    }


def keep(path: Path, record: dict[str, Any]) -> None:
    """Writes a record whole or not at all, and says so."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1) + "\n")
    part.replace(path)
    print(f"wrote     results/{path.name} after {record['minutes']:.1f} minutes")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit that was measured, with a ``+`` when files differ from it; None without git."""
    root = Path(__file__).parent

    def git(*args: str) -> str:
        return subprocess.run(
            ["git", *args], cwd=root, check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _cpuinfo() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text().split("\n\n")[0]
    return {
        key.strip(): value.strip() for key, _, value in (row.partition(":") for row in first.splitlines())
    }
