"""The house: short files, rooms on their floors, and names that belong where they are."""

import ast
import builtins
import dis
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

import anyview
from anyview.register import systems

ROOT = Path(anyview.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
ROOMS = {"cli", "report", "adaptation", "analysis", "evaluation", "training", "methods", "modalities", "targets",
         "objectives", "encoders", "views", "data"}  # fmt: skip
MODALITIES = {
    "image",
    "audio",
    "text",
    "series",
    "table",
    "events",
    "graph",
    "molecule",
    "volume",
    "video",
    "pairs",
}
#: a folder of data, not a package: nothing in it is imported
DATA_FOLDERS = {"evidence_results", "__pycache__"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every imported module, ``from a import b`` as ``a.b``, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize(
    "path", [p for p in ROOT.rglob("*") if p.suffix in {".py", ".js", ".css", ".html"}], ids=name
)
def test_no_file_is_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    inside_methods = path.is_relative_to(ROOT / "methods")
    assert lines <= (150 if inside_methods else 400)


def test_a_method_is_short_in_the_middle() -> None:
    methods = [p for p in FILES if p.parent.parent == ROOT / "methods" and p.name != "__init__.py"]
    assert statistics.median(len(p.read_text(encoding="utf-8").splitlines()) for p in methods) <= 80


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from codes(part)


def test_every_name_is_defined() -> None:
    """Linters are told to leave unknown names alone, as the shapes of jaxtyping are names to them."""
    around, unknown = Path(__file__).parents[1], []
    folders = (around / folder for folder in ("evidence", "benchmarks", "faults", "docs"))
    for path in [*FILES, *(path for folder in folders for path in folder.rglob("*.py"))]:
        whole = compile(path.read_text(encoding="utf-8"), str(path), "exec")
        steps = [(code, step) for code in codes(whole) for step in dis.get_instructions(code)]
        defined = {step.argval for _, step in steps if step.opname in {"STORE_NAME", "STORE_GLOBAL"}}
        asked = {
            step.argval
            for code, step in steps
            if step.opname == "LOAD_GLOBAL" or (step.opname == "LOAD_NAME" and code is whole)
        }
        missing = asked - defined - set(dir(builtins)) - {"__file__", "__path__", "__annotations__"}
        unknown += [f"{path}: {found}" for found in sorted(missing)]
    assert unknown == []


def test_only_the_loop_knows_processes_and_lightning() -> None:
    found = [
        f"{name(path)}:{line} imports {module}"
        for path in FILES
        if not path.is_relative_to(ROOT / "training")
        for line, module in imports(path)
        if module.startswith(("torch.distributed", "pytorch_lightning", "lightning"))
    ]
    assert found == []


def test_nobody_else_calls_the_processes_either() -> None:
    """``torch.distributed`` is reached as an attribute too, without an import of its own."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in FILES
        if not path.is_relative_to(ROOT / "training")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("torch.distributed")
    ]
    assert found == []


def test_nobody_asks_which_modality_it_is() -> None:
    """A modality brings what is special about it; whoever compares its name knows too much."""
    found = []
    for path in FILES:
        if path.is_relative_to(ROOT / "modalities") or path.is_relative_to(ROOT / "data"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):  # not ``"text" in row``, which asks for a key
                key = isinstance(node.ops[0], ast.In | ast.NotIn)
                sides = node.comparators if key else [node.left, *node.comparators]
            elif isinstance(node, ast.MatchValue):
                sides = [node.value]
            else:
                continue
            words = {c.value for side in sides for c in ast.walk(side) if isinstance(c, ast.Constant)}
            if words & MODALITIES:
                found.append(f"{name(path)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


def test_nothing_is_unpickled() -> None:
    """No pickle, and ``torch.load`` and ``np.load`` only in their safe form."""
    found = []
    for path in FILES:
        found += [
            f"{name(path)}:{line}" for line, module in imports(path) if module.split(".")[0] == "pickle"
        ]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
                unsafe = (called == "torch.load" and given.get("weights_only") != "True") or (
                    called == "np.load" and given.get("allow_pickle", "False") != "False"
                )
                if unsafe or called in {"yaml.load", "eval", "exec"}:
                    found.append(f"{name(path)}:{node.lineno}: {called}")
    assert found == []


def test_every_package_is_one() -> None:
    folders = {p.parent for p in FILES} - {ROOT}
    missing = [name(f) for f in folders if f.name not in DATA_FOLDERS and not (f / "__init__.py").is_file()]
    assert missing == []


def test_every_room_is_there_and_no_other() -> None:
    rooms = {p.name for p in ROOT.iterdir() if p.is_dir()} - DATA_FOLDERS
    assert rooms == ROOMS


@pytest.mark.parametrize("path", [p for p in FILES if p.name != "_version.py" and p.stat().st_size], ids=name)
def test_every_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("system", systems(), ids=lambda s: s.id)
def test_every_system_says_where_it_is_from(system) -> None:
    assert system.title.strip()
    assert system.paper.strip()
    assert 1950 <= system.year <= 2100
    assert (system.target.__doc__ or "").strip()
    assert system.modalities
    assert set(system.modalities) <= MODALITIES | {"any"}
    assert system.where.startswith("anyview.")
    if system.kind == "method":
        assert system.target.needs
        assert isinstance(system.target.couples_samples, bool)
        assert "couples_samples" in vars(system.target)


def test_stubs_are_only_where_a_base_asks_for_more() -> None:
    """``NotImplementedError`` marks what a subclass must give, never something that was left out."""
    found = {
        name(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and "NotImplementedError" in ast.unparse(node.exc)
    }
    bases = {
        "data/readers/base.py",
        "data/source.py",
        "encoders/base.py",
        "encoders/feature_map.py",
        "evaluation/protocols/base.py",
        "methods/base.py",
        "modalities/base.py",
        "views/base.py",
    }
    assert found <= bases


def test_floors_hold() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    config = ROOT.parents[1] / "pyproject.toml"
    if not config.is_file():
        pytest.skip("installed without its pyproject.toml")
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--config", str(config), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=config.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_no_import_goes_in_a_circle() -> None:
    grimp = pytest.importorskip("grimp", reason="import-linter is not installed")
    graph = grimp.build_graph("anyview", exclude_type_checking_imports=True, cache_dir=None)
    left = {m: set(graph.find_modules_directly_imported_by(m)) for m in graph.modules}
    while True:  # take away what imports nothing that is left; a circle stays
        free = {m for m, needs in left.items() if not needs}
        if not free:
            break
        left = {m: needs - free for m, needs in left.items() if m not in free}
    assert left == {}
