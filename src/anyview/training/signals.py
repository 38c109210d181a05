"""What asks a run to stop: Ctrl-C, SIGTERM, and SIGUSR1, which SLURM can send before time is up."""

import signal
from types import FrameType
from typing import Any

ASKING = tuple(
    number for name in ("SIGINT", "SIGTERM", "SIGUSR1") if (number := getattr(signal, name, None)) is not None
)


class Signals:
    """While a run takes steps, the first signal is kept in ``asked`` and the step is finished; a second one, and
    any before the first step or after the last, ends what is going on by ``KeyboardInterrupt``."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.stepping = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def listen(self) -> None:
        """Takes the signals, also from whoever has taken them since (as Lightning does)."""
        try:
            for number in ASKING:
                found = signal.signal(number, self._heard)
                self._before.setdefault(number, found)
        except ValueError:  # not in the main thread: whoever started the thread handles signals
            pass

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked is not None or not self.stepping:
            raise KeyboardInterrupt
        self.asked = number
