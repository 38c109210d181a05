"""Is it learning or collapsing? Measured without labels on a batch that is held back from nothing else."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from anyview.data.batch import Batch, payload_shape
from anyview.data.source import Source
from anyview.methods.base import Method
from anyview.objectives.alignment import alignment, uniformity
from anyview.objectives.spectrum import alpha_req, participation_ratio, rankme
from anyview.training.explosions import Explosions
from anyview.training.step import seed_step
from anyview.training.symptoms import Symptoms, collapsed

HELD = 512  #: samples watched
PART = 128  #: of them through the networks at a time
COLUMNS = (
    "rank",
    "rank_of",
    "std",
    "alignment",
    "uniformity",
    "alpha",
    "rank_z",
    "std_z",
    "dims_z",
    "size_z",
)


@dataclass
class Event:
    step: int
    text: str


@dataclass
class Health:
    """Measures a method on two views of held samples, and says in words what the figures mean.

    ``rank`` is RankMe of the encoder's output (of ``rank_of`` dimensions at most), ``std`` the mean deviation
    of its dimensions after normalisation times the root of their number (1 is spread over the sphere, 0 is a
    point); ``rank_z`` and ``std_z`` the same of what the loss compares, where that is a vector a sample, and
    ``dims_z`` the number of dimensions that share its variance (participation ratio), ``size_z`` its mean
    deviation as it is, not normalised.
    """

    views: list[Batch]  #: of the held samples, as the method gets them
    pair: tuple[Batch, Batch]  #: two of one shape, for alignment
    events: list[Event] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    collapsed: bool = False
    symptoms: Symptoms = field(default_factory=Symptoms)
    explosions: Explosions = field(default_factory=Explosions)
    _suspect: int | None = None

    @staticmethod
    def hold(method: Method, source: Source, device: torch.device, seed: int) -> "Health":
        """Draws the held samples and two sets of views of them, once for the whole run."""
        pick = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:HELD]
        batch = source.fetch(pick.sort().values).to(device)
        seed_step(seed, -1)
        views = method.make_views(batch)
        symptoms = Symptoms(method.couples_samples)
        if len(views) > 1 and payload_shape(views[0].x) == payload_shape(views[1].x):
            return Health(views, (views[0], views[1]), symptoms=symptoms)
        seed_step(seed, -2)
        return Health(views, (views[0], method.make_views(batch)[0]), symptoms=symptoms)

    @torch.no_grad()
    def measure(self, method: Method) -> dict[str, float]:
        """The figures of this moment. Leaves weights, statistics and random state as they were."""
        was_training, state = method.training, torch.get_rng_state()
        method.eval()
        seed_step(0, -3)
        try:
            h, z = self._embed(method)
        finally:
            method.train(was_training)
            torch.set_rng_state(state)
        if not all(torch.isfinite(x).all() for x in (*h, *([] if z is None else [z]))):
            return {}
        unit = [torch.nn.functional.normalize(x, dim=1) for x in h]
        figures = figures_of(h[0]) | {"alignment": float(alignment(torch.stack(unit)))}
        if z is not None:
            figures |= {
                "rank_z": float(rankme(z)),
                "std_z": spread(z),
                "dims_z": float(participation_ratio(z)),
                "size_z": float(z.std(0).mean()),
            }
        self.first = self.first or figures
        self.last = figures
        return figures

    def _embed(self, method: Method) -> tuple[tuple[Tensor, Tensor], Tensor | None]:
        """The encoder's output for both views of the pair, and what the loss compares (of the first view)
        when that is one vector a view and sample; a part of the samples at a time."""
        first, second, compared = [], [], []
        for views, a, b in zip(
            zip(*(v.split(PART) for v in self.views)), *(v.split(PART) for v in self.pair)
        ):
            (h, g), z = _embed_part(method, list(views), a, b)
            first.append(h.float())
            second.append(g.float())
            compared += [] if z is None else [z.float()]
        return (torch.cat(first), torch.cat(second)), torch.cat(compared) if compared else None

    def note_gradient(self, step: int, norm: float) -> None:
        """Of every step; an explosion becomes an event."""
        if explosion := self.explosions.note(step, norm):
            self.events.append(Event(step, str(explosion)))

    def judge(self, step: int, hint: str = "") -> str | None:
        """Marks a collapse seen twice in a row; returns the warning when it is new."""
        rank, of = self.last.get("rank", math.nan), self.last.get("rank_of", math.nan)
        if not self.last or not self._looks_collapsed():
            if self.collapsed:
                self.events.append(Event(step, f"recovered: effective rank {rank:.1f} of {of:.0f}"))
            self._suspect, self.collapsed = None, False
            return None
        if self._suspect is None:
            self._suspect = step
            return None
        if self.collapsed:
            return None
        self.collapsed = True
        rank_z, std_z = self.last.get("rank_z", rank), self.last.get("std_z", self.last["std"])
        text = (
            f"collapsing since step {self._suspect:,}: effective rank {min(rank, rank_z):.1f} of {of:.0f}, "
            f"deviation {min(self.last['std'], std_z):.2f} of 1"
        )
        self.events.append(Event(self._suspect, text))
        return text + (f". {hint}" if hint else "")

    def _looks_collapsed(self) -> bool:
        return collapsed(self.first, self.last)

    def verdict(self) -> str:
        """A sentence on the state at the end, and one on explosions where there were any."""
        return f"{self._verdict()} {self.explosions.said()}".strip()

    def _verdict(self) -> str:
        if not self.last:
            return "Health unknown: embeddings were not finite."
        rank, of = self.last["rank"], self.last["rank_of"]
        if self.collapsed or self._looks_collapsed():
            said = f"effective rank {rank:.1f} of {of:.0f}, deviation {self.last['std']:.2f} of 1"
            alone = {name: figure for name, figure in self.last.items() if not name.endswith("_z")}
            if collapsed(self.first, alone) or "std_z" not in self.last:
                return f"Collapsed: {said}."
            compared = f"effective rank {self.last['rank_z']:.1f}, deviation {self.last['std_z']:.2f} of 1"
            return f"Collapsed, by what the loss compares: {compared} (the encoder: {said})."
        if found := self.symptoms.found(self.first, self.last):
            encoder = f"The encoder has not collapsed (effective rank {rank:.0f} of {of:.0f})"
            return f"Not healthy, by what the loss compares: {'; '.join(found)}. {encoder}."
        if rank < 0.05 * of:
            return f"No collapse, but few directions are in use (effective rank {rank:.1f} of {of:.0f})."
        return f"No collapse (effective rank {rank:.0f} of {of:.0f})."

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, in plain types."""
        events = [asdict(e) for e in self.events]
        return {
            "first": self.first,
            "events": events,
            "collapsed": self.collapsed,
            "suspect": self._suspect,
            "losses": self.symptoms.state(),
            "explosions": self.explosions.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.first, self.collapsed, self._suspect = state["first"], state["collapsed"], state["suspect"]
        self.events = [Event(**e) for e in state["events"]]
        if "losses" in state:  # checkpoints of before it was kept have none
            self.symptoms.load_state(state["losses"])
        if "explosions" in state:
            self.explosions.load_state(state["explosions"])

    def record(self) -> dict[str, Any]:
        """Content of health.json."""
        return {
            "verdict": self.verdict(),
            "collapsed": bool(self.collapsed or (self.last and self._looks_collapsed())),
            "symptoms": self.symptoms.found(self.first, self.last),
            "exploded": self.explosions.steps,
            "last": self.last,
            "events": [asdict(e) for e in self.events],
        }


def _embed_part(
    method: Method, views: list[Batch], a: Batch, b: Batch
) -> tuple[tuple[Tensor, Tensor], Tensor | None]:
    """One pass of the method; its encoder is asked again only where it did not encode whole views."""
    n, outputs = len(a), []
    hook = method.encoder.register_forward_hook(lambda *call: outputs.append(call[2]))
    try:
        found = next(iter(method(views).values()))
    finally:
        hook.remove()
    # hidden tokens of each sample are (batch, hidden, size), and may be as many as there are samples
    z = found[0] if found.ndim == 3 and found.shape[1] == n and len(found) % n else None
    if outputs and len(views) > 1 and len(outputs[0]) >= 2 * n:
        return (outputs[0][:n], outputs[0][n : 2 * n]), z
    return (method.encoder(a.x), method.encoder(b.x)), z


def figures_of(x: Float[Tensor, "samples dim"]) -> dict[str, float]:
    """What tells of one embedding whether it has collapsed."""
    return {
        "rank": float(rankme(x)),
        "rank_of": float(min(x.shape)),
        "std": spread(x),
        "uniformity": float(uniformity(torch.nn.functional.normalize(x, dim=1))),
        "alpha": float(alpha_req(x)),
    }


def spread(x: Float[Tensor, "samples dim"]) -> float:
    """Mean deviation of normalised dimensions times sqrt(dim): 1 on the whole sphere, 0 at a point."""
    unit = torch.nn.functional.normalize(x, dim=1)
    return float(unit.std(0).mean() * math.sqrt(x.shape[1]))
