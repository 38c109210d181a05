"""The packages: built as a release is, and installed where nothing of this folder is."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import anyview

ROOT = Path(__file__).parents[1]


def run(*args: object, cwd: Path) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run([str(a) for a in args], cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of the source package alone, as pip does where there is no wheel."""
    folder = tmp_path_factory.mktemp("packages")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    run(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=folder / source.name[:-7]
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_every_file_of_the_package_and_the_results(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "anyview").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    results = ROOT / "evidence" / "results"
    there |= {f"anyview/evidence_results/{path.relative_to(results)}" for path in results.rglob("*.json")}
    assert packed == there
    assert "anyview/py.typed" in packed


def test_it_runs_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    """What it depends on is borrowed: nothing is downloaded."""
    venv.create(tmp_path / "env", symlinks=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
        wheel,
        cwd=tmp_path,
    )
    place = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    (Path(place) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")

    assert run(scripts / "anyview", "--version", cwd=tmp_path) == f"anyview {anyview.__version__}\n"
    where = run(python, "-c", "import anyview; print(anyview.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(Path(place))
    listed = json.loads(run(scripts / "anyview", "systems", "--json", cwd=tmp_path))
    assert listed == json.loads(json.dumps([system.record() for system in anyview.systems()]))
