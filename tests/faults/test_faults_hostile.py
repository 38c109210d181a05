"""Every hostile file is refused in one printable line, or does nothing."""

import pytest

from faults.hostile import CASES, attempt


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_does_nothing(name: str) -> None:
    assert attempt(name)
