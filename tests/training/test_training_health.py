"""Health: what the figures say of embeddings whose state is known, and that looking changes nothing."""

import pytest
import torch

from anyview.data import open as open_data
from anyview.data.batch import Batch
from anyview.encoders.base import Encoder
from anyview.methods.base import Method
from anyview.training.health import COLUMNS, Health
from anyview.training.plan import make_plan
from anyview.training.run import train
from anyview.views.base import Views

N, DIM = 300, 32


class Given(Encoder):
    """Gives the embeddings it was made of, by the number of the sample that each input holds."""

    def __init__(self, vectors: torch.Tensor) -> None:
        super().__init__()
        self.vectors = vectors

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.vectors[x[:, 0, 0, 0].long()]


class Fake(Method):
    """Its embeddings are known, and its loss compares them as they are, or others when these are given."""

    def __init__(self, vectors: torch.Tensor, compared: torch.Tensor | None = None) -> None:
        super().__init__(Given(vectors), Views())
        self.compared = Given(vectors if compared is None else compared)

    def forward(self, views: list[Batch]) -> dict[str, torch.Tensor]:
        return {"z": torch.stack([self.compared(view.x) for view in views])}


def held() -> Health:
    index = torch.arange(N)
    view = Batch(index.float().view(N, 1, 1, 1).expand(N, 1, 2, 2), index)
    return Health([view, view], (view, view))


def measured(*moments: torch.Tensor) -> Health:
    """Health after these embeddings were measured one after the other."""
    health = held()
    for vectors in moments:
        health.measure(Fake(vectors))
    return health


HEALTHY = torch.randn(N, DIM, generator=torch.Generator().manual_seed(0))
CONSTANT = HEALTHY[:1].expand(N, DIM).clone()
NOISY_POINT = CONSTANT + 1e-4 * HEALTHY
LINE = (
    torch.linspace(-1, 2, N)[:, None] * HEALTHY[:1]
)  # both ways from the origin: it deviates, in one direction
COLLAPSED = pytest.mark.parametrize(
    "vectors", [CONSTANT, NOISY_POINT, LINE], ids=["constant", "noisy point", "one dimension"]
)


def test_healthy_embeddings() -> None:
    health = measured(HEALTHY)
    assert health.last["rank"] > 25
    assert health.last["rank_of"] == DIM
    assert health.last["std"] == pytest.approx(1.0, abs=0.1)
    assert health.last["alignment"] == pytest.approx(0.0, abs=1e-6)  # both views are the same
    assert health.judge(0) is None
    assert health.judge(10) is None
    assert not health.collapsed
    assert health.verdict().startswith("No collapse")
    assert health.last["dims_z"] == pytest.approx(DIM, rel=0.15)
    assert set(health.last) == set(COLUMNS)


@COLLAPSED
def test_collapsed_embeddings(vectors: torch.Tensor) -> None:
    health = measured(HEALTHY, vectors)
    assert health.judge(0) is None  # once may be chance
    assert health.judge(10) is not None
    assert health.collapsed
    assert health.verdict().startswith("Collapsed")
    assert health.record()["collapsed"] is True


def test_a_network_that_starts_as_a_point_is_collapsed() -> None:
    health = measured(CONSTANT, CONSTANT)
    health.judge(0)
    assert health.judge(1) is not None


def test_a_network_that_starts_low_and_learns_is_not_collapsed() -> None:
    """An untrained transformer's mean dominates its output; that is where it starts, not a collapse."""
    low = 100 * CONSTANT + HEALTHY
    health = measured(low)
    assert health.last["rank"] < 2
    for step in range(3):
        assert health.judge(step) is None
    health.measure(Fake(70 * CONSTANT + HEALTHY))
    assert health.judge(3) is None
    assert not health.collapsed


def test_a_collapse_is_said_once_with_its_first_step_and_the_usual_cause() -> None:
    health = measured(HEALTHY, CONSTANT)
    assert health.judge(400, "Usual cause: X") is None
    text = health.judge(500, "Usual cause: X")
    assert text is not None
    assert "since step 400" in text
    assert text.endswith("Usual cause: X")
    assert health.judge(600, "Usual cause: X") is None
    assert [event.step for event in health.events] == [400]


def test_one_bad_measurement_between_good_ones_is_no_collapse() -> None:
    health = measured(HEALTHY)
    for step, vectors in enumerate([CONSTANT, HEALTHY, CONSTANT, HEALTHY, CONSTANT]):
        health.measure(Fake(vectors))
        assert health.judge(step) is None
    assert not health.collapsed
    assert health.events == []


def test_recovery_is_an_event() -> None:
    health = measured(HEALTHY, CONSTANT)
    health.judge(1)
    health.judge(2)
    health.measure(Fake(HEALTHY))
    health.judge(3)
    assert not health.collapsed
    assert [event.step for event in health.events] == [1, 3]
    assert "recovered" in health.events[1].text


def test_what_the_loss_compares_may_collapse_alone() -> None:
    health = measured(HEALTHY)
    figures = health.measure(Fake(HEALTHY, compared=CONSTANT))
    assert figures["rank"] > 25
    assert figures["rank_z"] < 2
    health.judge(0)
    assert health.judge(1) is not None
    assert health.verdict().startswith(
        "Collapsed, by what the loss compares: effective rank 1.0, deviation 0.00 "
    )
    assert f"(the encoder: effective rank {figures['rank']:.1f} of {DIM}" in health.verdict()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_embeddings_that_are_not_finite_are_unknown(bad: float) -> None:
    vectors = HEALTHY.clone()
    vectors[3, 5] = bad
    health = measured(vectors)
    assert health.last == {}
    assert health.judge(0) is None
    assert "unknown" in health.verdict()
    assert health.record()["collapsed"] is False


def blobs(n: int = 48) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", ["simclr", "byol", "vicreg", "mae"])
@pytest.mark.parametrize("training", [True, False])
def test_measuring_changes_nothing(method: str, training: bool) -> None:
    plan = make_plan(method, blobs())
    health = Health.hold(plan.method, plan.dataset.train, torch.device("cpu"), seed=0)
    plan.method.train(training)
    before = {k: v.clone() for k, v in plan.method.state_dict().items()}
    random = torch.get_rng_state()
    first = health.measure(plan.method)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training is training for module in plan.method.modules() if module is not plan.method)
    assert plan.method.training is training
    for name, value in plan.method.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in plan.method.parameters())
    second = health.measure(plan.method)
    assert first.keys() == second.keys()
    assert all(a == b or (a != a and b != b) for a, b in zip(first.values(), second.values()))


@pytest.mark.parametrize("method", ["simclr", "mae"])
def test_held_views_have_no_labels_and_are_the_same_every_time(method: str) -> None:
    data = open_data((blobs(), torch.arange(48) % 3))
    made = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        plan = make_plan(method, data)
        health = Health.hold(plan.method, plan.dataset.train, torch.device("cpu"), seed=5)
        made.append([*health.views, *health.pair])
    assert len(made[0]) == len(made[1])
    for a, b in zip(*made):
        assert a.label is None
        assert torch.equal(a.x, b.x)
    first, second = made[0][-2:]
    assert first.x.shape == second.x.shape
    assert torch.equal(first.index, second.index)
    assert not torch.equal(first.x, second.x)


def test_watching_does_not_change_what_is_learned(tmp_path) -> None:
    weights = []
    for watched in (True, False):
        run = tmp_path / str(watched)
        run.mkdir()
        model = train(
            make_plan("simclr", blobs(), options={"epochs": 3, "log_steps": 1, "health": watched}), run
        )
        weights.append(model.encoder.state_dict())
        assert (run / "health.json").exists() is watched
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_hidden_tokens_are_no_vectors_of_samples():
    class Masked(Fake):
        def forward(self, views):
            n = len(views[0])
            return {"prediction": torch.randn(n, n, DIM)}  # as many tokens hidden as there are samples

    figures = held().measure(Masked(HEALTHY))
    assert "rank_z" not in figures
    assert figures["rank"] > 20


def test_a_symptom_is_in_the_verdict_and_the_record_and_survives_a_resume():
    """A method whose loss is spent while its samples hardly differ; the encoder is as it was."""
    drawn = 4 * CONSTANT / CONSTANT[0].norm() + 0.6 * HEALTHY / DIM**0.5
    health = measured(HEALTHY)
    health.measure(Fake(HEALTHY, compared=drawn))
    assert health.verdict().startswith(
        "Not healthy, by what the loss compares: it points one way for all samples"
    )
    assert len(health.record()["symptoms"]) == 1
    assert health.record()["collapsed"] is False
    for loss in [5.0] + [0.01] * 30:
        health.symptoms.losses.note(loss)
    again = held()
    again.load_state(health.state())
    again.last = health.last
    assert again.verdict() == health.verdict()
    assert "the loss fell to 0.2 % of its first" in again.verdict()
