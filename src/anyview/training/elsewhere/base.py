"""What is asked of an encoder that was made elsewhere, and what an origin of such encoders is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyview import data as data_room
from anyview.data.source import Dataset
from anyview.errors import InputError, unknown
from anyview.training.model import Model, Spec

#: means and deviations of the channels that networks of images are fed with, on the scale 0 to 1; that of the data is
#: in its spec
SCALES: Mapping[str, tuple[list[float], list[float]] | None] = {
    "data": None,
    "none": ([0.0] * 3, [1.0] * 3),
    "half": ([0.5] * 3, [0.5] * 3),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


@dataclass(frozen=True)
class Asked:
    """An encoder by its name, or the function itself, and what a person says of it (None: nothing)."""

    name: Any
    data: Any = None
    weights: str | None = None
    size: int | None = None
    normalise: str | None = None
    id: str | None = None
    seed: int = 0

    @property
    def title(self) -> str:
        """What it is called in print."""
        return str(
            getattr(self.name, "__name__", None) or (self.name if isinstance(self.name, str) else "it")
        )

    def opened(self, label: str | None = None) -> Dataset:
        """The data it is to read.

        Raises:
            InputError: when none was named.
        """
        if self.data is None:
            raise InputError(f"{self.title} takes what it reads from data; say which: load(..., data=...)")
        return data_room.open(self.data, size=self.size, label=label)


@dataclass(frozen=True)
class Origin:
    """One origin of encoders, found by the prefix or the ending of their name; ``PREFIX:``, ``.ending``.

    Attributes:
        keys: its prefixes and endings.
        load: what makes a model of what is asked.
        options: what it can be told, of the fields of ``Asked`` that are None by default.
    """

    keys: tuple[str, ...]
    load: Callable[[Asked], Model]
    options: tuple[str, ...] = ()


def scaled(spec: Spec, name: str) -> Spec:
    """The spec with the means and deviations called ``name``, and with channels for them.

    Raises:
        InputError: for an unknown name, or samples without channels of colour.
    """
    if name not in SCALES:
        raise unknown("normalisation", name, SCALES)
    scale = SCALES[name]
    if scale is None:
        return spec
    if len(spec.get("shape", ())) < 3 or not isinstance(spec.get("mean"), list):
        raise InputError(f"normalisation {name} is for images; leave it out, or take data")
    mean, std = scale
    if name != "imagenet" and spec["shape"][0] == 1:
        return spec | {"mean": mean[:1], "std": std[:1]}
    return spec | {"shape": [3, *spec["shape"][1:]], "mean": mean, "std": std}
