"""How long a person waits for ``import anyview`` and ``anyview --help``: whole processes, bare Python beside."""

import subprocess
import sys
import time
from pathlib import Path


def seconds(repeats: int = 7) -> dict[str, list[float]]:
    """Wall-clock seconds of each command, in turn so that the machine's moods fall on all of them."""
    program = Path(sys.executable).with_name("anyview")
    front = [str(program)] if program.exists() else [sys.executable, "-m", "anyview"]
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "import": [sys.executable, "-c", "import anyview"],
        "help": [*front, "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for repeat in range(repeats + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if repeat:  # the first fills the disk cache
                times[name].append(time.perf_counter() - start)
    return times
