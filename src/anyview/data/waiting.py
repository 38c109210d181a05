"""How far something is that a person waits for, in one line on a terminal."""

import sys
import threading
from collections.abc import Hashable


class Waiting:
    """``what · 12 of 170 MB`` on standard error while a block runs, wiped at its end.

    Nothing where there is nothing to do, or no terminal.

    Args:
        what: what is being done.
        whole: how much there is of it; None where that is not known.
        unit: what amounts are divided by before they are shown.
        name: what the unit is called.
    """

    def __init__(self, what: str, whole: int | None, unit: int = 1, name: str = "") -> None:
        self.what, self.whole, self.unit, self.name = what, whole, unit, name
        self._done: dict[Hashable, int] = {}
        self._lock, self._shown = threading.Lock(), ""

    def at(self, part: Hashable, amount: int) -> None:
        """So much of a part is done by now; a part that is begun anew is back at 0. From any thread."""
        with self._lock:
            self._done[part] = amount
            self._show()

    def __enter__(self) -> "Waiting":
        self._show()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _show(self) -> None:
        if self.whole == 0 or not sys.stderr.isatty():
            return
        of = "" if self.whole is None else f" of {self.whole / self.unit:,.0f}"
        line = f"{self.what} · {sum(self._done.values()) / self.unit:,.0f}{of} {self.name}".rstrip()
        if line != self._shown:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            self._shown = line
