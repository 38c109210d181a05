"""SIE on turned images of Fashion-MNIST at 14 pixels: what each half knows, and whether the predictor listens."""

from functools import partial

import torch
from torch import Tensor, nn

from anyview.data.source import Dataset
from anyview.evaluation.features import Features, Split
from anyview.evaluation.protocols import judge
from anyview.methods.equivariant.sie import SIE
from anyview.objectives.spectrum import rankme
from anyview.training.model import Model
from evidence.common import Check, Evidence, Figures, over_seeds, pretrained
from evidence.duet import fashion, turned

CLAIM = (
    "The equivariant half knows by how much two views are turned against each other and the invariant half does not; "
    "the invariant half knows the class better; the prediction is spoilt by another image's turn, and hardly where the "
    "turn is a mere input of an MLP."
)
NOTE = (
    "The equivariant distance has the share of 4.5 that the official code sets, not the 0.45 of its README, which is "
    "the default here: with that one the equivariant half knew the class better (by 3.7 points on these seeds). The "
    "share was chosen on seeds 3 and 4."
)
BUDGET = 60
BATCH, EQUIVARIANCE = 128, 4.5
TIMES = 10  #: pairs of views that each image is looked for in
VARIANTS = {"sie": {}, "sie, mlp predictor": {"predictor": "mlp"}}


def relative(parameter: Tensor) -> Tensor:
    """``(cos, sin)`` of the turn from the first view to the second."""
    angle = 2 * torch.pi * (parameter[1] - parameter[0])
    return torch.stack([angle.cos(), angle.sin()], 1)


def turn_known(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], seed: int) -> float:
    """R² in percent of the relative turn, by an MLP on pairs of embeddings (2, n, dim), on new images."""
    torch.manual_seed(seed)
    (h, parameter), (new, other) = train, test
    mean, std = h.mean((0, 1)), h.std((0, 1)).clamp(min=1e-6)
    x, new = (torch.cat([(pair - mean) / std for pair in both], 1) for both in (h, new))
    y, wanted = relative(parameter), relative(other)
    layers = nn.Sequential(
        nn.Linear(x.shape[1], 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 2)
    )
    optimizer = torch.optim.AdamW(layers.parameters(), lr=1e-3, weight_decay=1e-2)
    for _ in range(1000):
        at = torch.randint(len(x), (256,))
        loss = (layers(x[at]) - y[at]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = (layers(new) - wanted).square().sum()
    return 100 * float(1 - error / (wanted - wanted.mean(0)).square().sum())


@torch.no_grad()
def predicted(method: SIE, h: Tensor, parameter: Tensor) -> dict[str, float]:
    """The paper's three figures of a predictor, of ``TIMES`` pairs of views of each image ``(2, TIMES n, dim)``.

    How many times larger its error is with the turns of other images; and where the second view of each pair stands
    among all of the image's views, the first of the pair too, by distance from what was predicted of it: the mean
    reciprocal rank in percent, and how often it is the first, or among the first five. Of 20 views chance is 18, 5 and
    25.
    """
    method.eval()
    moving = torch.stack([method.moving_expander(view[:, method.still :]) for view in h])
    g = relative(parameter)
    guess, others = (method.predictor(moving[0], turn) for turn in (g, g.roll(1, 0)))
    errors = [(y - moving[1]).square().mean() for y in (guess, others)]
    # (n, TIMES, dim) and, of the same images, all views with the second ones last
    guess = guess.unflatten(0, (TIMES, -1)).transpose(0, 1)
    views = moving.unflatten(1, (TIMES, -1)).flatten(0, 1).transpose(0, 1)
    away = torch.cdist(guess, views, compute_mode="donot_use_mm_for_euclid_dist")
    right = away[:, :, TIMES:].diagonal(dim1=1, dim2=2)
    rank = 1 + (away < right[..., None]).sum(-1).double()
    return {
        "error with others' turns": float(errors[1] / errors[0]),
        "MRR": 100 * float(rank.reciprocal().mean()),
        "H@1": 100 * float((rank <= 1).double().mean()),
        "H@5": 100 * float((rank <= 5).double().mean()),
    }


def halves(model: Model, data: Dataset, seed: int, still: int) -> Figures:
    """What each half of an encoder's output knows of turned images."""
    seen = {name: turned(model, data.splits[name], seed, times=3) for name in ("train", "validation", "test")}
    rows: Figures = {}
    for name, part in (("invariant", slice(None, still)), ("equivariant", slice(still, None))):
        x = {k: h[..., part] for k, (h, _) in seen.items()}
        split = {k: Split(v[0][: len(data.splits[k])], data.splits[k].label) for k, v in x.items()}
        rows[name] = {
            "knn": 100 * judge({"it": Features(**split)}, ("knn",))[0].figures["it"].mean,
            "turn R²": turn_known((x["train"], seen["train"][1]), (x["test"], seen["test"][1]), seed),
            "rank": float(rankme(split["test"].x)),
        }
    return rows


def variant(name: str, budget: int, seed: int) -> Figures:
    data = fashion(train=5000, test=3000)
    options = {"batch_size": BATCH, "equivariance": EQUIVARIANCE} | VARIANTS[name]
    method, model = pretrained("sie", data, seed, budget, **options)
    listens = predicted(method, *turned(model, data.splits["test"], seed, times=TIMES))
    if name != "sie":
        return {name: listens}
    found = halves(model, data, seed, method.still)
    before = halves(model.untrained(data.train, seed), data, seed, method.still)
    rows = {f"untrained encoder, {half}": figures for half, figures in before.items()}
    return rows | {f"sie, {half}": figures for half, figures in found.items()} | {"sie": listens}


def run(budget: int, seeds: list[int]) -> Evidence:
    rows = over_seeds([partial(variant, name) for name in VARIANTS], budget, seeds)
    still, moving = rows["sie, invariant"], rows["sie, equivariant"]
    return Evidence(
        list(rows.values()),
        [
            Check("R² of the turn from the equivariant half", moving["turn R²"], 60),
            Check("R² of the turn, above the invariant half", moving["turn R²"] - still["turn R²"], 30),
            Check("knn of the invariant half, above the equivariant", still["knn"] - moving["knn"], 1),
            Check("error with others' turns, times its own", rows["sie"]["error with others' turns"], 2),
            Check(
                "the same with an MLP",
                rows["sie, mlp predictor"]["error with others' turns"],
                1.5,
                below=True,
            ),
        ],
    )
