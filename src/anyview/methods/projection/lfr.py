"""LFR: predict what random networks make of a sample; no augmentation, no mask, any kind of data."""

import inspect
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from anyview.data.batch import Batch
from anyview.encoders import registry
from anyview.encoders.base import Encoder
from anyview.encoders.heads import mlp
from anyview.methods.base import Method
from anyview.objectives.instances import instance_barlow
from anyview.register import system
from anyview.targets.random import RandomProjectors
from anyview.views.base import Views

SHALLOW = 2  #: layers of the random networks, where that can be chosen


@system(
    "lfr",
    title="Self-supervised Representation Learning From Random Data Projectors",
    paper="arXiv:2310.07756",
    year=2023,
    kind="method",
)
class LFR(Method):
    """Simple predictors must tell, from one embedding, what each of several random networks makes of the same
    sample. Each keeps other information, so an embedding that serves all of them is rich (section 3).

    The random networks are of the encoder's kind, shallow where depth can be chosen. They are drawn ten times
    over, and those kept that differ most on samples of the data. Encoder and predictors take turns, as in
    expectation maximisation (algorithm 1): an epoch for the encoder, then some for the predictors alone.

    Args:
        targets: K, random networks.
        candidates: how many are drawn for each that is kept; 1 keeps the first.
        projector: name of the encoder that random networks are made by; None is the encoder's own kind.
        predictor_layers: of each predictor; linear in the paper.
        predictor_epochs: epochs of the predictors after each epoch of the encoder (M, 1 to 5 in the paper);
            0 trains both at once, the ablation.
        phase: steps of an epoch; None follows the data.
        lambd: weight of the pairs of different samples in the loss.
    """

    needs = "one_view"
    couples_samples = True
    collapse_hint = "With lfr this is usually random networks that say the same of every sample"

    def __init__(
        self,
        encoder: Encoder,
        views: Views,
        *,
        targets: int = 6,
        candidates: int = 10,
        projector: str | None = None,
        predictor_layers: int = 1,
        predictor_epochs: int = 1,
        phase: int | None = None,
        lambd: float = 0.01,
    ) -> None:
        super().__init__(encoder, views)
        self.candidates, self.lambd = targets * candidates, lambd
        self.predictor_epochs, self.phase = predictor_epochs, phase or 1
        config = _shallow(encoder.config) if projector is None else {"name": projector}
        config = {**config, "input": encoder.config["input"]}
        probe = registry.build(**config)
        self.projectors = RandomProjectors(lambda: registry.build(**config), targets, probe.dim)
        dims = [encoder.dim] * predictor_layers + [probe.dim]
        self.predictors = nn.ModuleList(mlp(dims, norm="layer") for _ in range(targets))
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @classmethod
    def scaled(cls, samples: int, batch_size: int) -> dict[str, Any]:
        return {"phase": max(1, samples // batch_size)}

    def prepare(self, views: list[Batch]) -> None:
        self.projectors.choose(views[0].x, self.candidates)

    def predictors_turn(self) -> bool:
        """Whether this step is one of the predictors alone."""
        return bool(int(self.steps) // self.phase % (1 + self.predictor_epochs))

    def forward(self, views: list[Batch]) -> dict[str, Tensor]:
        x, alone = views[0].x, self.training and self.predictors_turn()
        if self.training:  # what has no turn keeps no gradient, and no optimiser moves it
            self.encoder.requires_grad_(not alone)
            self.predictors.requires_grad_(alone or not self.predictor_epochs)
            self.encoder.train(not alone)  # batch norms of an encoder that waits keep their statistics
        with torch.no_grad() if alone else nullcontext():
            z = self.encoder(x)
        return {"prediction": torch.stack([h(z) for h in self.predictors]), "target": self.projectors(x)}

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        return instance_barlow(prediction, target, lambd=self.lambd)

    def after_step(self) -> None:
        self.steps += 1


def _shallow(config: dict[str, Any]) -> dict[str, Any]:
    """The encoder's own configuration with fewer layers, where its builder has them as an option."""
    name = config["name"]
    if ":" in name:
        return {k: v for k, v in config.items() if k not in registry.START}
    options = inspect.signature(registry.builders()[name].build).parameters
    return config | ({"depth": min(SHALLOW, config.get("depth", SHALLOW))} if "depth" in options else {})
