"""The pages say what is so: their code runs, their links lead somewhere, their options exist."""

import ast
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from blocks import PAGES, ROOT, blocks, files

from anyview.errors import InputError
from anyview.evaluation import protocols
from anyview.evaluation.features import Features, Split
from anyview.evaluation.result import Result

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
CODE = [block for page in PAGES for block in blocks(page)]
COMMANDS = [
    line.split("#")[0].split(">")[0].strip()
    for block in CODE
    if not block.language
    for line in block.code.splitlines()
    if line.startswith("anyview ")
]


@pytest.mark.parametrize(
    "block", [b for b in CODE if b.language == "python"], ids=lambda b: f"{b.page}: {b.code[:40]}"
)
def test_python_compiles(block) -> None:
    compile(block.code, block.page, "exec")


@pytest.mark.parametrize(
    "block", [b for b in CODE if b.language == "python"], ids=lambda b: f"{b.page}: {b.code[:40]}"
)
def test_names_that_python_imports_exist(block) -> None:
    added = {f.removeprefix("src/").removesuffix(".py").replace("/", ".") for f in files(CONTRIBUTING)}
    for node in ast.walk(ast.parse(block.code)):
        if (
            isinstance(node, ast.ImportFrom)
            and str(node.module).startswith("anyview")
            and node.module not in added
        ):
            module = importlib.import_module(str(node.module))
            for name in node.names:
                assert hasattr(module, name.name), f"{node.module} has no {name.name}"


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_options_that_exist(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the pages is parsed as the command line does; only its data are exchanged."""
    words = shlex.split(command)[1:]
    if "simsiam" in words or "spectra.npy" in words or "centroid" in words:
        return  # these come from CONTRIBUTING's own examples, which other tests run
    monkeypatch.chdir(tmp_path)
    from anyview.cli.main import main

    if {"subj", "trec", "emoji"} & set(words) and not os.environ.get("ANYVIEW_DATA"):
        pytest.skip("ANYVIEW_DATA names no folder of datasets")
    Path("reviews.csv").write_text("text,stars\n" + "it is a good long film,5\nand this is a bad one,1\n" * 9)

    if words[0] == "pretrain" and "--help" not in words:
        words = ["digits" if w == "photos/" or w.startswith("your/") or "://" in w else w for w in words]
        words = [write_config(tmp_path) if w.endswith("config.yaml") else w for w in words]
        assert main([*words, "--dry-run"]) == 0
    elif words[0] in ("pretrain", "systems", "--version"):
        assert main(words) == 0
    elif words[0] != "demo":
        words = (
            [*words[:2], "runs/none", *words[3:]] if words[0] == "suite" else words
        )  # a method would train
        with pytest.raises(
            InputError, match=r"no |not a run|is not|holds"
        ):  # the run is not there; options are
            importlib.import_module(f"anyview.cli.{words[0]}").run(words[1:])
    assert not (tmp_path / "runs").exists()


def write_config(folder: Path) -> str:
    path = folder / "config.yaml"
    if not path.exists():
        from anyview.training.plan import make_plan

        path.write_text(json.dumps(make_plan("simclr", "digits", options={"epochs": 1}).config))
    return str(path)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#][^)]*)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target.split("#")[0]).exists(), target


def test_floors_of_the_drawing_are_those_of_the_contract() -> None:
    drawing = blocks(ROOT / "docs" / "architecture.md")[1].code
    drawn = re.findall(r"[├└]─ (\w+)", drawing)
    contract = (ROOT / "pyproject.toml").read_text()
    layers = re.search(r"layers = \[(.*?)\]", contract, re.DOTALL)
    assert layers
    assert drawn == re.findall(r'"anyview\.(\w+)"', layers[1])


def test_the_json_example_is_what_evaluate_prints() -> None:
    example = next(b.code for b in blocks(ROOT / "docs" / "evaluation.md") if b.language == "json")
    for record in json.loads(example):
        assert Result.from_record(record).record() == record


def test_the_files_of_contributing_do_what_it_says(tmp_path: Path) -> None:
    """The method passes the battery, and the modality carries a run: in a new process."""
    for name, code in files(CONTRIBUTING).items():
        if name.startswith("src/"):
            path = tmp_path / name.removeprefix("src/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
    script = Path(__file__).with_name("overlay.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_protocol_of_contributing_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "centroid.py"
    path.write_text(files(CONTRIBUTING)["src/anyview/evaluation/protocols/centroid.py"])
    spec = importlib.util.spec_from_file_location("centroid", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(protocols.PROTOCOLS, "centroid", module.PROTOCOL)

    label = torch.arange(90) % 3
    apart = torch.nn.functional.one_hot(label, 3).float() + 0.05 * torch.randn(90, 3)
    parts = [slice(0, 50), slice(50, 70), slice(70, 90)]
    splits = {
        name: Features(*(Split(x[part], label[part]) for part in parts))
        for name, x in (("apart", apart), ("noise", torch.randn(90, 3)))
    }
    (result,) = protocols.judge(splits, ["centroid"])
    assert result.figures["apart"].mean == 1.0
    assert result.figures["noise"].mean < 0.8


def test_the_evidence_of_contributing_is_what_the_runner_takes() -> None:
    spec = importlib.util.spec_from_loader("evidence_of_contributing", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(ROOT))
    try:
        from evidence import common

        exec(files(CONTRIBUTING)["evidence/simsiam.py"], module.__dict__)
    finally:
        sys.path.remove(str(ROOT))
    seen = []

    class Fake:
        embed_source = None

    def here(one, budget, seeds):
        found = [one(budget, seed) for seed in seeds]
        return {name: common.Row.over(name, [f[name] for f in found]) for name in found[0]}

    vars(module).update(
        {
            "cifar10": lambda: None,
            "pretrained": lambda method, data, seed, epochs: (seen.append((method, seed, epochs)), Fake()),
            "judged": lambda embed, data: {"knn": 40.0 + len(seen), "linear": 40.0, "rank": 9.0},
            "baselines": lambda data, model, seed: {
                "untrained encoder": {"knn": 30.0},
                "raw pixels": {"knn": 31.0},
            },
            "over_seeds": here,
        }
    )
    found = module.run(module.BUDGET, [0, 1])
    assert seen == [("simsiam", 0, 30), ("simsiam", 1, 30)]
    assert [row.name for row in found.rows] == ["untrained encoder", "raw pixels", "simsiam"]
    assert found.checks[0].value == pytest.approx(11.5)
    assert found.checks[0].holds
