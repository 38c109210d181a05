"""The page of reliability has the figures that were kept, and these are good ones."""

import json
from pathlib import Path

from faults.run import OPTIONAL, RESULTS, SUITES, failed, summary

ROOT = Path(__file__).parents[2]


def test_the_page_says_what_was_measured() -> None:
    found = json.loads(RESULTS.read_text())
    assert set(SUITES) - set(OPTIONAL) <= set(found) <= set(SUITES)
    assert failed(found) == []
    assert found["kill"]["kills"] >= 50
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    for line in summary(found):
        assert line in page.splitlines(), line
