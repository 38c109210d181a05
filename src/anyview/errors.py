"""What a person is told when something cannot work: one line that says what, where and what to do."""

import difflib
from collections.abc import Iterable
from pathlib import Path


def printable(text: str) -> str:
    """``text`` in one line that can do nothing to a terminal: names of files may hold anything."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class InputError(ValueError):
    """Input that cannot work (a path, a name, an option, labels). The command line exits with code 2."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))


class RunError(RuntimeError):
    """A run that started and failed (NaN loss, full disk). The command line exits with code 1."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))


class Interrupted(Exception):
    """The run was asked to stop and has saved everything; ``step`` is where it goes on."""

    def __init__(self, run: Path, step: int | None, command: str = "") -> None:
        saved = " before the first checkpoint" if step is None else f": saved at step {step:,}"
        super().__init__(f"interrupted{saved}. Continue with: {command or f'anyview resume {run}'}")
        self.run, self.step = run, step


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None when nothing is near."""
    by_lower = {k.lower(): k for k in known}
    hits = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[hits[0]] if hits else None


def unknown(what: str, name: str, known: Iterable[str], where: str = "") -> InputError:
    """The error for a wrong name: what it was, the nearest right one, and all of them when they are few."""
    known = sorted(known)
    guess = nearest(name, known)
    hint = f'; did you mean "{guess}"?' if guess else ""
    listed = f" (known: {', '.join(known)})" if len(known) <= 12 else ""
    return InputError(f'no {what} "{name}"{f" {where}" if where else ""}{hint}{listed}')
