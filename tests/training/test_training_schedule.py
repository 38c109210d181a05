"""How long a run is: by steps, by the clock, and by default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyview.training import schedule
from anyview.training.schedule import Budget, default_batch_size, default_epochs


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(schedule.time, "monotonic", lambda: self.now)


def test_steps_end_the_run_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    budget = Budget(200, None)
    budget.start()
    clock.now += 1e6
    assert [budget.progress(s) for s in (0, 50, 200, 300)] == [0.0, 0.25, 1.0, 1.0]
    assert not budget.done(199)
    assert budget.done(200)


def test_the_clock_ends_the_run_whatever_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    budget = Budget(None, 2.0)
    assert budget.progress(10) == 0.0  # it has not started
    budget.start()
    clock.now += 30
    assert budget.progress(0) == budget.progress(10_000) == pytest.approx(0.25)
    clock.now += 89.9
    assert not budget.done(5)
    clock.now += 0.2
    assert budget.done(5)
    assert budget.progress(5) == 1.0


def test_a_resumed_clock_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    budget = Budget(None, 1.0, elapsed_before=45.0)
    budget.start()
    assert budget.progress(0) == pytest.approx(0.75)
    clock.now += 5
    assert budget.elapsed == pytest.approx(50.0)


@given(st.integers(2, 10_000_000))
def test_default_batch_fits_the_data(samples: int) -> None:
    size = default_batch_size(samples)
    assert 2 <= size <= min(256, samples)
    assert size == samples or size & (size - 1) == 0
    if samples >= 512:
        assert size * 16 <= samples  # at least 16 steps an epoch
    if samples >= 4096:
        assert size == 256


@given(st.integers(2, 10_000_000), st.integers(2, 10_000_000))
def test_defaults_are_monotonic_in_the_data(a: int, b: int) -> None:
    small, large = sorted((a, b))
    assert default_batch_size(small) <= default_batch_size(large)
    assert default_epochs(small, 256) >= default_epochs(large, 256)


@given(st.integers(2, 10_000_000), st.integers(1, 4096))
def test_default_epochs_make_at_most_twenty_thousand_steps(samples: int, batch: int) -> None:
    epochs = default_epochs(samples, batch)
    steps = max(1, samples // batch)
    assert 1 <= epochs <= 200
    assert epochs == 1 or epochs * steps <= 20_000
    assert epochs == 200 or (epochs + 1) * steps > 20_000
