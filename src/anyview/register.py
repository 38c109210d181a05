"""The register of published systems: what each is, where it lives, and the evidence that it works.

A system registers itself where it is defined::

    @system("simclr", title="A Simple Framework ...", paper="arXiv:2002.05709", year=2020, kind="method")
    class SimCLR(Method): ...

Nothing is listed by hand: ``anyview systems``, the docs page and the test battery all read this register.
"""

import functools
import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from anyview.errors import unknown

Kind = Literal["method", "objective", "layer", "evaluation", "analysis", "adaptation"]
KINDS: tuple[str, ...] = get_args(Kind)
ROOMS = ("methods", "objectives", "encoders", "evaluation", "analysis", "adaptation")
T = TypeVar("T")


@dataclass(frozen=True)
class System:
    """One published system and the object in this library that implements it."""

    id: str
    title: str
    paper: str
    year: int
    kind: Kind
    modalities: tuple[str, ...]  # ("any",) when the modality does not matter
    target: Any  # the class or function

    @property
    def where(self) -> str:
        """Import path of the implementation, such as ``anyview.methods.contrastive.simclr.SimCLR``."""
        return f"{self.target.__module__}.{self.target.__qualname__}"

    @property
    def evidence(self) -> dict[str, Any] | None:
        """``{"script", "holds", "date"}`` of the kept result, or None when nothing was shown yet."""
        kept = self.kept
        return kept and {"script": f"evidence/{self.id}.py", "holds": kept["holds"], "date": kept["date"]}

    @property
    def kept(self) -> dict[str, Any] | None:
        """What ``evidence/results/ID.json`` says."""
        path = evidence_folder() / f"{self.id}.json"
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.is_file() else None
        return found

    @property
    def state(self) -> str:
        """What the evidence says: ``holds``, ``3 of 4 hold`` or ``none yet``."""
        return state_of(self.kept)

    def record(self) -> dict[str, Any]:
        """The row of ``anyview systems --json``."""
        return {
            "id": self.id,
            "title": self.title,
            "year": self.year,
            "paper": self.paper,
            "kind": self.kind,
            "modalities": list(self.modalities),
            "where": self.where,
            "evidence": self.evidence,
        }


_REGISTER: dict[str, System] = {}


def system(
    id: str, *, title: str, paper: str, year: int, kind: Kind, modalities: tuple[str, ...] = ("any",)
) -> Callable[[T], T]:
    """Class or function decorator that enters a published system into the register.

    Raises:
        ValueError: when another object already has this id.
    """

    def enter(target: T) -> T:
        entry = System(id, title, paper, year, kind, modalities, target)
        known = _REGISTER.get(id)
        if known is not None and known.where != entry.where:
            raise ValueError(f"system id {id!r} stands for {known.where} already")
        _REGISTER[id] = entry
        target.system_id = id  # type: ignore[attr-defined]
        return target

    return enter


def systems(modality: str | None = None, kind: str | None = None) -> list[System]:
    """All registered systems in order of id, optionally those of one kind or usable on one modality."""
    _walk_rooms()
    found = sorted(_REGISTER.values(), key=lambda s: s.id)
    return [
        s
        for s in found
        if (kind is None or s.kind == kind) and (modality is None or {"any", modality} & set(s.modalities))
    ]


@functools.cache
def _walk_rooms() -> None:
    """Imports what stands in the rooms, once: what comes later enters itself when it is imported."""
    for room in ROOMS:
        package = importlib.import_module(f"anyview.{room}")
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)


def method(id: str) -> System:
    """The pretraining system called ``id``.

    Raises:
        InputError: for an unknown name, with the nearest right one.
    """
    known = {s.id: s for s in systems(kind="method")}
    if id not in known:
        raise unknown("method", id, known)
    return known[id]


def state_of(result: dict[str, Any] | None) -> str:
    """How many checks of kept evidence hold, in a few words."""
    if result is None:
        return "none yet"
    met = [check["holds"] for check in result["checks"]]
    return "holds" if all(met) else f"{sum(met)} of {len(met)} hold"


def evidence_folder() -> Path:
    """Where kept evidence lies: in the wheel beside this file, in a checkout under ``evidence/results``."""
    packaged = Path(__file__).parent / "evidence_results"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "evidence" / "results"
