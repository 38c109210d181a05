"""``make supply``: the packages of a release, installed with the oldest versions that are declared and with the latest,
and tested there."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: what stands on other libraries: readers, views, networks, the loop, and the commands
TESTS = [
    "data",
    "views",
    "encoders",
    "modalities",
    "training",
    "cli/test_cli_pretrain.py",
    "cli/test_cli_judge.py",
]
ENDS = {"lowest": "lowest-direct", "latest": "highest"}


def run(*command: object, cwd: Path = ROOT) -> None:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    subprocess.run([str(part) for part in command], cwd=cwd, env=clean, check=True)


def wheel(folder: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


def tested(end: str, folder: Path, built: Path, tests: list[str]) -> None:
    """Installs into a new environment, lists what was taken, and tests it there.

    Raises:
        CalledProcessError: where versions do not go together, or a test fails.
    """
    env = folder / end
    python = env / ("Scripts" if os.name == "nt" else "bin") / "python"
    uv = [sys.executable, "-m", "uv"]
    run(*uv, "venv", "--quiet", "--python", sys.executable, env)
    run(*uv, "pip", "install", "--quiet", "--python", python, "--resolution", ENDS[end], f"{built}[test]")
    run(*uv, "pip", "freeze", "--python", python)
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(ROOT / "tests" / name for name in tests))


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("ends", nargs="*", choices=[[], *ENDS], help="both, unless one is named")
    p.add_argument("--tests", nargs="+", default=TESTS, help="below tests/")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as name:
        built = wheel(Path(name))
        for end in args.ends or ENDS:
            start = time.monotonic()
            try:
                tested(end, Path(name), built, args.tests)
            except subprocess.CalledProcessError as error:
                print(f"error: {end}: {error}", file=sys.stderr)
                return 1
            print(f"{end}: passed in {time.monotonic() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
