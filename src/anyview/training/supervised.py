"""The same encoder trained from scratch with the labels: what the labels alone give."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Shaped
from torch import Tensor, nn

from anyview.data.loader import Loader
from anyview.data.source import Source
from anyview.encoders.base import Encoder
from anyview.encoders.foreign import ForeignEncoder
from anyview.errors import InputError
from anyview.training.model import Model, calibrate
from anyview.training.optim import build_optimizer, lr_factor
from anyview.training.options import OptimizerOptions
from anyview.training.precision import autocast, channels_last, pick_device, pick_precision
from anyview.training.schedule import default_batch_size
from anyview.training.step import seed_step

PATIENCE = 3  #: lengths tried: each is twice the one before, until validation says no


def train_supervised(
    model: Model, train: Source, validation: Source, test: Source, *, seed: int = 0, max_steps: int = 2000
) -> tuple[Shaped[Tensor, "test *classes"], Shaped[Tensor, "test"]]:
    """Trains the model's encoder from fresh weights on the views of the modality's mildest pipeline: with
    cross-entropy, or, when the labels are fractions, with squared error on targets standardised by train.

    The length of training (a quarter, a half or the whole of ``max_steps``) is chosen on validation; test is
    read once, by the chosen network.

    Returns:
        Its answers for the test samples whose label is known, scores of classes or targets, and those labels.
    """
    device = pick_device("auto")
    lengths = (max_steps // 2**halvings for halvings in reversed(range(PATIENCE)))
    network = choose(model, (fit(model, train, n, seed, device) for n in lengths), validation, device)
    return answers(model, network, test, device)


def choose(
    model: Model, networks: Iterable[nn.Module], validation: Source, device: torch.device
) -> nn.Module:
    """The network that does best on the labels of validation, the first of equals."""
    best, chosen = float("-inf"), None
    for network in networks:
        answer, label = answers(model, network, validation, device)
        if label.is_floating_point():
            merit = -float((answer - label).square().mean())
        else:
            merit = float((answer.argmax(1) == label).double().mean())
        if chosen is None or merit > best:
            best, chosen = merit, network
    assert chosen is not None
    return chosen


class Targets(nn.Module):
    """One linear output in the unit of the targets, from weights of the usual size."""

    def __init__(self, dim: int, label: Tensor) -> None:
        super().__init__()
        known = label[label.isfinite()]
        self.linear = nn.Linear(dim, 1)
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", known.mean())
        self.register_buffer("spread", known.std(correction=0).clamp(min=1e-12))

    def forward(self, z: Tensor) -> Tensor:
        return self.mean + self.spread * self.linear(z)[:, 0].float()


def fit(
    model: Model,
    train: Source,
    steps: int,
    seed: int,
    device: torch.device,
    encoder: Encoder | None = None,
    options: OptimizerOptions | None = None,
    share: Callable[[Tensor], float] | None = None,
    views: str = "tokens",
) -> nn.Module:
    """Encoder and linear head, trained together on the labels of ``train`` for ``steps``; in eval mode.

    Args:
        encoder: the weights to start from, which it changes; fresh ones of the model's encoder when None.
        options: of the optimiser; the usual ones when None.
        share: of the rate, for each parameter (:func:`anyview.training.optim.build_optimizer`).
        views: what it is trained on, as methods name their needs; ``one_view`` is the samples as they are.
    """
    assert train.label is not None
    if isinstance(model.encoder, ForeignEncoder):
        raise InputError(
            f"{model.encoder.config['name']} was made elsewhere and is only called; it cannot be trained here"
        )
    seed_step(seed, 0)
    encoder = model.fresh() if encoder is None else encoder.requires_grad_(True)
    if train.label.is_floating_point():
        head: nn.Module = Targets(encoder.dim, train.label)
    else:
        head = nn.Linear(encoder.dim, int(train.label.max()) + 1)
    network = channels_last(nn.Sequential(encoder, head).to(device))
    precision = pick_precision("auto", device)
    batch_size = min(128, default_batch_size(len(train)))
    options = options or OptimizerOptions()
    optimizer = build_optimizer(network, options, batch_size, share)
    views_of = model.modality.views_for(views)(model.spec)
    loader = iter(Loader(train, batch_size, seed=seed))
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * lr_factor(step / steps, options.warmup)
        batch = next(loader).to(device)
        seed_step(seed, step)
        view = views_of(batch)[0]
        assert batch.label is not None
        with autocast(precision, device):
            answer = network(view.x).float()
        known = _known(batch.label)
        if not known.any():
            continue
        if isinstance(head, Targets):
            loss = F.mse_loss(answer[known], batch.label[known]) / head.spread.square()
        else:
            loss = F.cross_entropy(answer[known], batch.label[known])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    calibrate(encoder.cpu(), train, lambda x: model.modality.inputs(x, model.spec), seed)
    return network.eval()


def _known(label: Tensor) -> Tensor:
    return label.isfinite() if label.is_floating_point() else label >= 0


def answers(model: Model, network: nn.Module, source: Source, device: torch.device) -> tuple[Tensor, Tensor]:
    """What the network says of each sample whose label is known, and the labels."""
    assert source.label is not None
    known = _known(source.label)
    return scores(model, network, source, device)[known], source.label[known]


def scores(model: Model, network: nn.Module, source: Source, device: torch.device) -> Tensor:
    """What the network says of each sample; labels are not read."""
    encoder, head = network[0], network[1]  # type: ignore[index]
    with torch.no_grad():
        vectors = Model(encoder, model.modality, model.spec).embed_source(source, device=device.type)
        return head.cpu()(vectors)
