"""Products in float32 by the quicker library: as exact, and nothing left behind."""

import threading

import pytest
import torch

from anyview import products
from anyview.products import quick_products

pytestmark = pytest.mark.skipif(
    not hasattr(products.MATMUL, "fp32_precision"),
    reason="this PyTorch cannot be asked",
)


def setting() -> str:
    return products.MATMUL.fp32_precision


@pytest.fixture
def worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_worth", lambda: True)


def test_products_are_as_exact_inside_as_outside() -> None:
    """Whatever this processor is: where they would not be, nothing is changed."""
    for n, k, m in ((7, 33, 5), (300, 512, 200), (10, 512, 2048), (64, 8, 64)):
        a, b = torch.randn(n, k), torch.randn(k, m)
        exact = a.double() @ b.double()
        with quick_products():
            inside = a @ b
        assert float((inside - exact).norm() / exact.norm()) < 2e-6
        assert float((a @ b - exact).norm() / exact.norm()) < 2e-6


@pytest.mark.usefixtures("worth")
def test_the_setting_is_there_inside_alone_also_when_nested_and_after_an_error() -> None:
    before = setting()
    with quick_products():
        assert setting() == "bf16"
        with quick_products():
            assert setting() == "bf16"
        assert setting() == "bf16"
    assert setting() == before
    with pytest.raises(ZeroDivisionError), quick_products():
        _ = 1 / 0
    assert setting() == before


@pytest.mark.usefixtures("worth")
def test_what_a_person_has_set_is_set_again() -> None:
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        held = setting()
        with quick_products():
            pass
        assert setting() == held
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("worth")
def test_threads_that_overlap_leave_it_as_it_was() -> None:
    before, entered, leave = setting(), threading.Event(), threading.Event()

    @quick_products()
    def other() -> None:
        entered.set()
        leave.wait(10)

    thread = threading.Thread(target=other)
    with quick_products():
        thread.start()
        assert entered.wait(10)
    assert setting() == "bf16"  # the other is inside
    leave.set()
    thread.join(10)
    assert setting() == before


@pytest.mark.parametrize(("tiles", "amd"), [(True, True), (False, False)], ids=["tiles", "not AMD's"])
def test_other_processors_are_left_alone(tiles: bool, amd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(products, "_amd", lambda: amd)
    assert products._worth.__wrapped__() is False


def test_a_library_that_rounds_inside_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one would on a processor whose library uses the permission."""

    def rounding(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.dtype == torch.float32:
            a, b = a.bfloat16(), b.bfloat16()
        return torch.matmul(a, b).double()

    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(products, "_amd", lambda: True)
    monkeypatch.setattr(torch.Tensor, "__matmul__", rounding)
    before = setting()
    assert products._worth.__wrapped__() is False
    assert setting() == before
