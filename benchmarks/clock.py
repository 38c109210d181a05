"""Who spends the time of a loop: timers around its parts that never count a second twice."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any


class Clock:
    """Seconds by part. A part inside another is taken off the outer one; ``opaque`` parts keep all of theirs.

    Attributes:
        seconds: part -> seconds so far.
        calls: part -> how often it was entered.
        last: part -> seconds of its last call, inner parts included.
    """

    def __init__(self, opaque: tuple[str, ...] = ()) -> None:
        self.opaque = opaque
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.last: dict[str, float] = {}
        self._open: list[list[Any]] = []  # part, start, seconds of parts inside

    def start(self, part: str) -> None:
        if not self._hidden():
            self._open.append([part, time.perf_counter(), 0.0])

    def stop(self, part: str) -> None:
        """Ends ``part``; nothing when it is not the innermost (it began inside an opaque one)."""
        if not self._open or self._open[-1][0] != part:
            return
        _, began, inside = self._open.pop()
        spent = time.perf_counter() - began
        self.seconds[part] += spent - inside
        self.calls[part] += 1
        self.last[part] = spent
        if self._open:
            self._open[-1][2] += spent

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Replaces ``owner.name`` by itself with a timer around it; ``owner`` is a class, object or module."""
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._hidden():
                return function(*args, **kwargs)
            self.start(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.stop(part)

        setattr(owner, name, timed)

    def _hidden(self) -> bool:
        return bool(self._open) and self._open[-1][0] in self.opaque
