"""A run whose disk fills up, turns read-only or goes away, and comes back: nothing before that is lost.

The disk is a tmpfs of its own in a namespace of its own, so nobody else's is touched and no rights are needed where
the system lets users have namespaces.
"""

import ctypes
import functools
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from typing import Any

from anyview.cli.main import main
from anyview.training.checkpoint import last_checkpoint
from anyview.training.module import Pretraining
from faults.child import Child
from faults.kill import METHODS, OPTIONS, digits, undisturbed
from faults.state import differences, torn

NEWUSER, NEWNS = 0x10000000, 0x00020000
RDONLY, REMOUNT, BIND, DETACH = 1, 32, 4096, 2
MEGABYTES = 24  #: the data, two checkpoints and what is written beside them
STEP = 13  #: after checkpoints of steps 8 and 12, of 32


class Disk:
    """A tmpfs at ``real``, seen at ``path``."""

    def __init__(self, folder: Path) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.real, self.path = folder / "real", folder / "disk"
        for place in (self.real, self.path):
            place.mkdir()
        user, group = os.getuid(), os.getgid()
        self._call("unshare", NEWUSER | NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        self._call("mount", b"none", bytes(self.real), b"tmpfs", 0, b"size=%dm" % MEGABYTES)
        self.come_back()

    def _call(self, name: str, *args: Any) -> None:
        if getattr(self.libc, name)(*args):
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")

    def fill(self) -> None:
        with (self.real / "filler").open("wb") as file:
            try:
                while True:
                    file.write(bytes(65536))
                    file.flush()
            except OSError:
                pass

    def read_only(self) -> None:
        self.vanish()  # a mount with a file open for writing, such as the lock, cannot be turned
        self.come_back()
        self._call("mount", b"none", bytes(self.path), None, REMOUNT | BIND | RDONLY, None)

    def vanish(self) -> None:
        self._call("umount2", bytes(self.path), DETACH)

    def come_back(self) -> None:
        self._call("mount", bytes(self.real), bytes(self.path), None, BIND, None)


#: what happens to the disk, how it is mended, and a word of the line that says so
FAULTS: dict[str, tuple[Callable[[Disk], None], Callable[[Disk], None], str]] = {
    "full": (Disk.fill, lambda d: (d.real / "filler").unlink(), "No space left on device"),
    "read-only": (Disk.read_only, lambda d: (d.vanish(), d.come_back())[0], "Read-only file system"),
    "vanished": (Disk.vanish, Disk.come_back, "is gone"),
}


def scene(fault: str, folder: Path, whole: Path) -> int:
    """What happens in the child; writes what it found to ``FAULT.json``."""
    disk = Disk(folder)
    data, run = digits(disk.path), disk.path / "killed"
    breaks, mends, word = FAULTS[fault]
    inner = Pretraining.training_step

    @functools.wraps(inner)
    def training_step(self: Pretraining, batch: Any, batch_idx: int) -> None:
        if self.global_step == STEP:
            breaks(disk)
        inner(self, batch, batch_idx)

    Pretraining.training_step = training_step  # type: ignore[method-assign]
    said = io.StringIO()
    with redirect_stderr(said):
        code = main(["pretrain", METHODS[0], data, *OPTIONS, "--out", str(run)])
    Pretraining.training_step = inner  # type: ignore[method-assign]
    mends(disk)
    kept = last_checkpoint(run)
    found = {
        "code": code,
        "said": said.getvalue(),
        "word": word,
        "torn": torn(run),
        "kept": kept and kept.name,
    }
    found["resumed"] = main(["resume", str(run)])
    main(["evaluate", str(run), data, "--protocol", "knn"])
    (folder / f"{fault}.json").write_text(json.dumps(found | {"lost": differences(run, whole, steps=False)}))
    return 0


def problems(found: dict[str, Any]) -> list[str]:
    """What of a scene was not as promised."""
    lines = found["said"].splitlines()
    checks = {
        f"the exit code was {found['code']}": found["code"] == 1,
        f"it was not one line: {found['said']}": len(lines) == 1,
        f"it did not say what was wrong: {found['said']}": found["word"] in found["said"],
        "it did not say how to go on": "anyview resume" in found["said"],
        f"torn: {found['torn']}": not found["torn"],
        "the last good checkpoint is gone": found["kept"] == "last.ckpt",
        "it could not be resumed": found["resumed"] == 0,
        f"lost: {found['lost']}": not found["lost"],
    }
    return [text for text, good in checks.items() if not good]


def run(faults: Iterable[str] = tuple(FAULTS)) -> dict[str, list[str]]:
    """What went wrong with each fault: nothing, if all is well.

    Raises:
        OSError: where namespaces are not allowed.
    """
    outcome = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        undisturbed(METHODS[0], digits(folder), folder / "whole")
        for fault in faults:
            place = folder / fault
            place.mkdir()
            child = Child()
            child.start(partial(scene, fault, place, folder / "whole"), log := folder / f"{fault}.log")
            if child.wait():
                text = log.read_text()
                raise OSError(f"no tmpfs of its own for this process: {text}" if "unshare" in text else text)
            outcome[fault] = problems(json.loads((place / f"{fault}.json").read_text()))
    return outcome
