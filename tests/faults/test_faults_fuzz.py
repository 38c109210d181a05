"""Damaged files of every kind are read or refused in one line: some that stay, and what hypothesis thinks of."""

import contextlib
import io
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyview.cli.main import COMMANDS, main
from faults.fuzz import GOOD, attempt, run


def test_damaged_files_are_read_or_refused() -> None:
    found = run(tries=3 * len(GOOD), seed=1)
    assert found["faults"] == []
    assert found["refused"] > len(GOOD)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(sorted(GOOD)), content=st.one_of(st.binary(max_size=200), st.text().map(str.encode))
)
def test_whatever_a_file_holds(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attempt(name, content, Path(folder))


#: what is added so that nothing is trained; an option that does not exist where there is no other way
HARMLESS = {"pretrain": ["--dry-run"], "compare": ["--never"], "demo": ["--never"]}
WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["pretrain", "resume", "evaluate", "embed", "systems", "simclr", "digits", "--set", "--out", "--json", "--seed",
         "--epochs", "--label", "--config", "--dry-run", "--methods", "--minutes", "--by", "--modality", "--protocol",
         "--split", "--encoder", "-1", "nan", "1e309", "=", "a.b=c", "method.temperature=nan", "{x: [", "--", "..", "/",
         "\0", "%s", "\ud800", "\x1b[2J", "https://example.org/x", "~", "-", ""]
    ),
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    first=st.sampled_from([*COMMANDS, "nothing"]),
    rest=st.lists(WORDS, max_size=5),
)
def test_whatever_stands_on_the_command_line(first: str, rest: list[str]) -> None:
    """Nothing but an answer or one line; never a fault of anyview, and nothing is trained."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stderr(said):
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                code = main([first, *rest, *HARMLESS.get(first, [])])
            except SystemExit as asked:  # --help
                code = asked.code
        left = list(Path(folder).iterdir())
    assert code in (0, 2), said.getvalue()
    assert "a fault of anyview" not in said.getvalue()
    if code == 2:
        assert len(said.getvalue().splitlines()) == 1
        assert left == []


@pytest.mark.parametrize("name", sorted(GOOD))
def test_an_empty_file_is_refused(name: str, tmp_path: Path) -> None:
    assert attempt(name, b"", tmp_path) == "refused"
