"""Fine-tuning for the scripts: a network from an encoder's weights, or from fresh ones, with few labels."""

import copy

import torch

from anyview.data.source import Source
from anyview.training.model import Model
from anyview.training.supervised import answers, fit


def finetuned(
    model: Model, train: Source, test: Source, seed: int, *, steps: int, scratch: bool = False
) -> float:
    """Accuracy in percent on ``test`` of the whole network, trained on the labels of ``train`` for ``steps`` on
    the modality's mildest views; the last weights are judged. Nothing else differs from ``scratch``."""
    encoder = None if scratch else copy.deepcopy(model.encoder)
    network = fit(model, train, steps, seed, torch.device("cpu"), encoder)
    answer, label = answers(model, network, test, torch.device("cpu"))
    return 100 * float((answer.argmax(1) == label).float().mean())
