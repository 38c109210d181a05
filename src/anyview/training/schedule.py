"""How far a run is: by steps when it is measured in epochs, by the clock when in minutes."""

import time
from dataclasses import dataclass


@dataclass
class Budget:
    """The length of a run. ``steps`` or ``minutes`` is set, never both.

    The clock counts training time over all sittings: a resumed run goes on where it stopped.
    """

    steps: int | None
    minutes: float | None
    elapsed_before: float = 0.0
    _started: float | None = None

    def start(self) -> None:
        self._started = time.monotonic()

    def pause(self, seconds: float) -> None:
        """Leaves out the last so many seconds, in which something else than training was done."""
        self.elapsed_before -= seconds

    @property
    def elapsed(self) -> float:
        """Seconds of training so far."""
        return self.elapsed_before + (time.monotonic() - self._started if self._started is not None else 0.0)

    def progress(self, step: int) -> float:
        """Share of the schedule that is done before ``step``, 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        assert self.minutes is not None
        return min(1.0, self.elapsed / (60 * self.minutes))

    def done(self, step: int) -> bool:
        return self.progress(step) >= 1.0


def default_epochs(samples: int, batch_size: int) -> int:
    """Passes that make about 20,000 steps, at most 200 and at least 1."""
    return max(1, min(200, 20_000 // max(1, samples // batch_size)))


def default_batch_size(samples: int) -> int:
    """A power of two that leaves about 16 steps an epoch, between 2 and 256."""
    size = 256
    while size > 32 and size * 16 > samples:
        size //= 2
    return max(1, min(size, samples))
