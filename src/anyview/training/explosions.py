"""Gradient explosions: steps whose gradient is many times as long as is usual in this run."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

FACTOR = 10.0  #: times the usual norm; whole runs stay below 2
SETTLED = 20  #: steps before anything is usual
PACE = 0.05  #: with which the usual norm follows, so that a new level is usual after some dozens of steps
LISTED = 20  #: explosions that are kept one by one


@dataclass
class Explosion:
    """One of them, at the first of its steps: neighbours in time are one."""

    step: int
    norm: float
    usual: float

    def __str__(self) -> str:
        times = self.norm / self.usual
        return f"gradient {times:,.0f} times its usual norm ({self.norm:.1e}, usually {self.usual:.1e})"


@dataclass
class Explosions:
    """Follows the norm of the gradient, step by step, before it is clipped.

    Attributes:
        steps: how many steps exploded.
        found: the first explosions.
    """

    steps: int = 0
    found: list[Explosion] = field(default_factory=list)
    _seen: int = 0
    _log: float = 0.0  #: logarithm of the usual norm, a running mean
    _last: int = -SETTLED

    def note(self, step: int, norm: float) -> Explosion | None:
        """An explosion that begins with this step, one of the first ``LISTED``.

        Args:
            norm: finite; steps with others stop the run or are skipped.
        """
        if norm <= 0:
            return None
        usual, log = math.exp(self._log), math.log(norm)
        exploded = self._seen >= SETTLED and norm > FACTOR * usual
        limit = self._log + math.log(
            FACTOR
        )  # one that explodes moves what is usual no further than its bound
        self._log += max(PACE, 1 / (self._seen + 1)) * ((min(log, limit) if exploded else log) - self._log)
        self._seen += 1
        if not exploded:
            return None
        self.steps += 1
        new, self._last = step - self._last >= SETTLED, step
        if not new or len(self.found) == LISTED:
            return None
        self.found.append(Explosion(step, norm, usual))
        return self.found[-1]

    def said(self) -> str:
        """A sentence, empty where there were none."""
        if not self.found:
            return ""
        times = "one step" if self.steps == 1 else f"{self.steps:,} steps"
        worst = max(self.found, key=lambda e: e.norm / e.usual)
        return f"The gradient exploded in {times} (step {worst.step:,}: {worst}); a lower learning rate may help."

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, in plain types."""
        return {
            "steps": self.steps,
            "found": [asdict(e) for e in self.found],
            "seen": self._seen,
            "log": self._log,
            "last": self._last,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.steps, self.found = state["steps"], [Explosion(**e) for e in state["found"]]
        self._seen, self._log, self._last = state["seen"], state["log"], state["last"]
