"""docs/build.py: what it writes, and that --check sees what is out of date."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
KEPT = {
    "system": "simclr",
    "claim": "It beats raw pixels | by far.",
    "holds": True,
    "rows": [
        {"name": "untrained", "figures": {"knn": {"mean": 30.0, "std": 0.5, "n": 3}}},
        {
            "name": "simclr",
            "figures": {"knn": {"mean": 41.25, "std": 0.8, "n": 3}, "rank": {"mean": 40, "std": 2, "n": 3}},
        },
    ],
    "checks": [
        {"text": "knn above untrained", "value": 11.25, "needed": 5, "holds": True},
        {"text": "knn above raw pixels", "value": 1.5, "needed": 1, "holds": True},
    ],
    "seeds": 3,
    "minutes": 4.5,
    "date": "2030-01-02",
    "commit": "0123456789abcdef0123",
    "machine": "two cores",
}


@pytest.fixture
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(build: ModuleType, tmp_path: Path) -> Path:
    """A checkout with no evidence, whose pages are up to date."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"before\n{build.BEGIN}\nstale lines\n{build.END}\nafter\n")
    build.evidence_folder = lambda: tmp_path / "results"
    assert build.main([], tmp_path) == 0
    return tmp_path


def keep(root: Path, build: ModuleType, **changes) -> None:
    """Evidence for simclr appears."""
    (root / "results").mkdir(exist_ok=True)
    (root / "results" / "simclr.json").write_text(json.dumps(KEPT | changes))


def test_check_passes_when_nothing_changed(build: ModuleType, root: Path) -> None:
    assert build.main(["--check"], root) == 0
    text = (root / "README.md").read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "stale lines" not in text


@pytest.mark.parametrize("page", ["README.md", "docs/systems.md"])
def test_check_sees_a_page_changed_by_hand(build: ModuleType, root: Path, page: str, capsys) -> None:
    path = root / page
    changed = path.read_text().replace("`simclr`", "`simclear`")
    path.write_text(changed)
    assert build.main(["--check"], root) == 1
    error = capsys.readouterr().err
    assert page in error
    assert error.count("\n") == 1
    assert path.read_text() == changed  # --check mends nothing
    assert build.main([], root) == 0
    assert build.main(["--check"], root) == 0


def test_check_sees_a_page_that_is_missing(build: ModuleType, root: Path) -> None:
    (root / "docs" / "systems.md").unlink()
    assert build.main(["--check"], root) == 1


def test_check_sees_new_evidence(build: ModuleType, root: Path) -> None:
    keep(root, build)
    assert build.main(["--check"], root) == 1


def test_words_outside_the_markers_are_free(build: ModuleType, root: Path) -> None:
    path = root / "README.md"
    path.write_text("Another beginning\n" + path.read_text())
    assert build.main(["--check"], root) == 0


def test_a_readme_without_markers_is_an_error(build: ModuleType, root: Path) -> None:
    (root / "README.md").write_text("no markers\n")
    with pytest.raises(SystemExit, match="lacks a marker"):
        build.main([], root)


def test_every_system_has_a_row_and_a_section(build: ModuleType, root: Path) -> None:
    page, intro = (root / "docs" / "systems.md").read_text(), (root / "README.md").read_text()
    for record in build.records():
        assert f"\n## {record['id']}\n" in page
        assert record["where"] in page
        assert f"| `{record['id']}` |" in intro
    assert "https://arxiv.org/abs/2002.05709" in page


def test_evidence_is_shown_as_it_is(build: ModuleType, root: Path) -> None:
    missed = {"text": "knn above raw pixels", "value": 0.5, "needed": 1, "holds": False}
    keep(root, build, holds=False, checks=[KEPT["checks"][0], missed])
    build.main([], root)
    page = (root / "docs" / "systems.md").read_text()
    assert "**does not hold**" in page
    assert "| simclr | 41.2 ± 0.800 (3) | 40 ± 2 (3) |" in page
    assert "| untrained | 30 ± 0.500 (3) | – |" in page
    assert "| knn above untrained | 11.2 | 5 | yes |" in page
    assert "commit `0123456789ab`" in page
    assert "1 of 2 hold (2030-01-02)" in (root / "README.md").read_text()


def test_a_bar_does_not_break_a_table(build: ModuleType) -> None:
    assert build.table(("a",), [("x | y",)]).splitlines()[-1] == "| x \\| y |"


def test_the_kept_pages_are_up_to_date(build: ModuleType) -> None:
    assert build.stale(ROOT) == []


def test_wrong_usage(build: ModuleType, root: Path) -> None:
    assert build.main(["--chekc"], root) == 2


def beside(root: Path, name: str, kept: dict) -> None:
    """A comparison of several methods appears."""
    folder = root / "results" / "comparisons"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(kept))


def test_methods_stand_side_by_side_and_who_lost_to_its_untrained_network_is_named(
    build: ModuleType, root: Path
) -> None:
    rows = [
        {"name": name, "figures": {m: {"mean": v, "std": 0.0, "n": 1} for m in ("knn", "linear")}}
        for name, v in (("byol", 20.5), ("untrained, convolutions", 27.5), ("simclr", 40.5))
    ]
    about = {"data": "Pictures", "epochs": 3, "networks": {"byol": "convolutions", "simclr": "convolutions"}}
    kept = {**about, "rows": rows, "date": "2030-01-02", "commit": "abc", "machine": "two cores"}
    assert "Nothing is kept yet" in (root / "docs" / "compared.md").read_text()
    beside(root, "side_by_side", kept)
    build.main([], root)
    page = (root / "docs" / "compared.md").read_text()
    places = [page.index(text) for text in ("(systems.md#simclr)", "untrained, conv", "(systems.md#byol)")]
    assert places == sorted(places)
    assert "Beaten by their untrained network in this budget: `byol`." in page


def test_collapse_is_drawn_beside_the_whole_run(build: ModuleType, root: Path) -> None:
    curves = {"step": [0, 5, 10], "loss": [1.0, 0.5, 0.2], "rank": [9.0, None, 1.0], "std": [1.0, None, 0.1]}
    runs = [{"system": "byol", "what": what, "curves": curves} for what in ("whole", "no predictor")]
    beside(root, "collapse", {"runs": runs})
    build.main([], root)
    (drawing,) = (root / "docs" / "collapse").iterdir()
    assert drawing.name == "byol-no-predictor.svg"
    text = drawing.read_text()
    ElementTree.fromstring(text)  # well formed
    assert text.count('class="line faint"') == text.count('class="line main"') == 3
    assert build.main(["--check"], root) == 0


def test_speed_reads_what_was_measured_and_says_what_was_not(build: ModuleType, tmp_path: Path) -> None:
    kept = {
        "date": "2030-01-02T03:04",
        "machine": {"flags": ["avx2"]},
        "ratios": {"convnet-s": {"median": 1.5}, "resnet18": {"median": 0.93}},
        "limits": {"convnet-s": {"median": 1.2}, "resnet18": {"median": 1.04}},
    }
    (tmp_path / "processes.json").write_text(json.dumps(kept))
    (tmp_path / "judging.json").write_text(json.dumps(kept | {"ratios": {"linear vs SGD": [7.0, 5.5, 6.0]}}))
    of = {line[0]: line[2:5] for line in build.speed.rows.cells(tmp_path)}
    assert of["two processes, convnet-s"][:2] == ("1.5 x", "≥ 1.7 x")
    assert of["two processes, convnet-s"][2].startswith("no: ")
    assert "reach 1.20 x" in of["two processes, convnet-s"][2]
    assert "0.93 x, never speaking 1.04 x" in of["two processes, convnet-s"][2]
    assert of["linear layer on 50,000"] == ("6 x", "≥ 5 x", "yes")
    assert of["nearest neighbours of 10,000 in 50,000"] == ("not yet", "≥ 2 x", "")
    assert of["MAE step, ViT-tiny, 32 px"][0] == "not yet"
