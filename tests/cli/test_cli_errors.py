"""Input that cannot work: one line on standard error, exit code 2, and nothing left behind."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anyview.cli.main import main

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run on unlabelled pixels; tests damage copies of it."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "x.npy", PIXELS)
    args = [
        "pretrain",
        "simclr",
        f"{folder}/x.npy",
        "--epochs",
        "1",
        "--set",
        "health=false",
        "--out",
        f"{folder}/run",
    ]
    assert main(args) == 0
    return folder / "run"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path) -> Path:
    """A folder with one of every kind of input; commands run in it."""
    x = PIXELS.astype(np.float32) / 255
    np.save(tmp_path / "good.npy", PIXELS)
    np.save(tmp_path / "one.npy", PIXELS[:1])
    np.savez(tmp_path / "labelled.npz", x=PIXELS, y=np.arange(16) % 2)
    np.savez(tmp_path / "one_class.npz", x=PIXELS, y=np.zeros(16, int))
    x[3, 1, 1] = np.nan
    np.save(tmp_path / "nan.npy", x)
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "torn.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no pixels here\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.docx").write_text("hello")
    (tmp_path / "single").mkdir()
    Image.fromarray(PIXELS[0]).save(tmp_path / "single" / "a.png")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (tmp_path / "bad.yaml").write_text("method: [")
    (tmp_path / "list.yaml").write_text("- 1\n")
    shutil.copytree(trained, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"/" for p in folder.rglob("*")}


def fails(args: list[str], capsys: pytest.CaptureFixture, code: int = 2) -> str:
    """Runs a command that must fail; its one line."""
    before = tree(Path.cwd())
    capsys.readouterr()
    assert main(args) == code
    out, err = capsys.readouterr()
    assert err.endswith("\n")
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    assert "a fault of anyview" not in lines[0]
    assert "Traceback" not in out
    assert tree(Path.cwd()) == before
    return lines[0]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("frobnicate", 'no command "frobnicate"'),
        ("pretain simclr good.npy", 'did you mean "pretrain"?'),
        ("pretrain", "METHOD and DATA"),
        ("pretrain simclr", "pretrain needs DATA, such as: anyview pretrain simclr photos/"),
        ("pretrain smclr", 'did you mean "simclr"?'),
        ("pretrain good.npy", "needs METHOD and DATA, such as: anyview pretrain simclr good.npy"),
        ("pretrain", "needs METHOD and DATA, such as: anyview pretrain simclr photos/"),
        ("pretrain smclr good.npy", 'no method "smclr"; did you mean "simclr"?'),
        (
            "pretrain simclr good.npy --temprature 0.2",
            'no option "temprature" for simclr; did you mean "temperature"?',
        ),
        ("pretrain simclr good.npy --temprature=0.2", 'did you mean "temperature"?'),
        ("pretrain simclr good.npy --set temprature=0.2", 'did you mean "temperature"?'),
        ("pretrain simclr good.npy --set temperature", "NAME=VALUE"),
        ("pretrain simclr good.npy --temperature", "no value"),
        ("pretrain simclr good.npy --set temperature=hot", "takes float; got 'hot'"),
        ("pretrain byol good.npy --set momentum=0.5", "method.momentum and optimizer.momentum"),
        ("pretrain simclr good.npy extra.npy", '"extra.npy" is one argument too many'),
        ("pretrain simclr good.npy --epochs many", "many"),
        ("pretrain simclr good.npy --epochs", "expected one argument"),
        ("pretrain simclr good.npy --epochs 0", "at least one epoch"),
        ("pretrain simclr good.npy --epochs 1 --minutes 1", "not both"),
        ("pretrain simclr good.npy --batch-size 1", "nothing to compare"),
        ("pretrain simclr good.npy --batch-size 7 --devices 2", "7 does not divide"),
        ("pretrain simclr good.npy --device quantum", 'no device "quantum"'),
        ("pretrain simclr good.npy --precision fp8", "fp8"),
        ("pretrain simclr good.npy --encoder resnet19", 'no encoder "resnet19"; did you mean "resnet18"?'),
        ("pretrain simclr good.npy --encoder.widht 3", 'did you mean "width"?'),
        ("pretrain simclr good.npy --seed x", "--seed"),
        ("pretrain simclr good.npy --modality smell", 'no modality "smell"'),
        ("pretrain simclr good.npy --size 0", "size"),
        ("pretrain simclr good.npy --label y", "label"),
        ("pretrain mae good.npy --encoder convnet-s", "transformer-nano"),
        ("pretrain simclr nowhere.npy", 'no "nowhere.npy"'),
        ("pretrain simclr nowhere/photos/2024", "nowhere"),
        ("pretrain simclr cifar", 'did you mean "cifar10"?'),
        ("pretrain simclr empty", "empty/ is empty"),
        ("pretrain simclr texts", "notes.docx"),
        ("pretrain simclr notes.txt", "notes has 1 sample"),
        ("pretrain simclr broken", "none could be read as image"),
        ("pretrain simclr one.npy", "1 sample"),
        ("pretrain simclr single", "1 sample"),
        ("pretrain simclr nan.npy", "sample 3"),
        ("pretrain simclr objects.npy", "never loaded"),
        ("pretrain simclr torn.npy", "torn.npy"),
        ("pretrain simclr good.npy --config nowhere.yaml", "nowhere.yaml cannot be read"),
        ("pretrain simclr good.npy --config bad.yaml", "bad.yaml is not YAML"),
        ("pretrain simclr good.npy --config list.yaml", "list.yaml"),
        ("pretrain simclr good.npy --out notes.txt", "notes.txt exists"),
        ("pretrain simclr good.npy --out notes.txt/run", "cannot write to notes.txt/run"),
        ("pretrain simclr good.npy --out run", "anyview resume run"),
        ("pretrain simclr good.npy --out texts", "not an empty folder"),
        ("pretrain smclr --help", 'did you mean "simclr"?'),
        ("evaluate run", "data"),
        ("evaluate nowhere labelled.npz", "nowhere"),
        ("evaluate texts labelled.npz", "texts holds no encoder"),
        ("evaluate run good.npy", "evaluate needs labels"),
        ("evaluate run one_class.npz", "two classes"),
        ("evaluate run labelled.npz --protocol knm", 'did you mean "knn"?'),
        ("evaluate run labelled.npz --protocl knn", 'did you mean "--protocol"?'),
        ("evaluate run labelled.npz --test good.npy", "evaluate needs labels"),
        ("evaluate run nowhere.npz", "nowhere.npz"),
        ("embed run good.npy", "--out"),
        ("embed run good.npy --out v.txt", ".parquet or .npy"),
        ("embed run good.npy --out nowhere/v.npy", "no folder nowhere"),
        ("embed run good.npy --out notes.txt/v.npy", "notes.txt"),
        ("embed run good.npy --out texts/v.npy --split tset", "tset"),
        ("embed run nan.npy --out v.npy", "sample 3"),
        ("embed run empty --out v.npy", "is empty"),
        ("embed run good.npy --out v.npy --batch-size 0", "batch"),
        ("embed run good.npy --out v.npy --device quantum", "quantum"),
        ("embed nowhere good.npy --out v.npy", "nowhere"),
        ("resume", "run"),
        ("resume nowhere", "nowhere is not a run folder"),
        ("resume texts", "texts is not a run folder"),
        ("resume run now", "one argument too many"),
        ("systems --jsn", 'did you mean "--json"?'),
        ("systems --kind methd", 'did you mean "method"?'),
        ("systems --modality imge", 'did you mean "image"?'),
        ("demo --minutes x", "--minutes"),
        ("demo --minutes -1", "minutes"),
        ("demo --out run", "anyview resume run"),
        ("demo --out notes.txt/run", "cannot write"),
    ],
)
def test_one_line_and_nothing_left(args: str, says: str, here: Path, capsys: pytest.CaptureFixture) -> None:
    assert says in fails(args.split(), capsys)


@pytest.mark.parametrize(
    "options",
    [
        "temperature=0",
        "temperature=-0.5",
        "temperature=nan",
        "out_dim=0",
        "layers=-1",
        "crop_scale=[1.0,0.2]",
        "crop_scale=[0.0,2.0]",
        "flip=1.5",
        "views.size=0",
        "lr=-1",
        "lr=.nan",
        "warmup=2",
        "clip=-1",
        "weight_decay=-1",
        "log_steps=0",
        "cache_chunk=-1",
        "devices=0",
        "workers=-1",
        "checkpoint_minutes=-1",
        "checkpoint_steps=-1",
        "encoder.width=0",
        "minutes=.nan",
    ],
)
def test_values_that_cannot_work_are_found_before_a_folder_is_made(
    options: str, here: Path, capsys: pytest.CaptureFixture
) -> None:
    length = [] if options.startswith("minutes") else ["--epochs", "1"]
    line = fails(["pretrain", "simclr", "good.npy", *length, "--set", options], capsys)
    word = {"out_dim": "width"}.get(options.split("=")[0], options.split("=")[0].split(".")[-1])
    assert word.replace("_", " ") in line.replace("_", " ").replace("-", " ")


@pytest.mark.parametrize("ratio", ["0", "1", "1.5", "-0.1"])
def test_a_mask_must_hide_some_and_leave_some(ratio: str, here: Path, capsys: pytest.CaptureFixture) -> None:
    assert "mask" in fails(
        ["pretrain", "mae", "good.npy", "--epochs", "1", "--set", f"mask_ratio={ratio}"], capsys
    )


COMMANDS = (["embed", "run", "good.npy", "--out", "v.npy"], ["evaluate", "run", "labelled.npz"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
@pytest.mark.parametrize("damage", ["torn weights", "no weights", "other encoder", "torn config"])
def test_an_encoder_that_is_damaged_or_of_something_else(
    damage: str, command: list[str], here: Path, capsys: pytest.CaptureFixture
) -> None:
    weights, config = here / "run/encoder/model.safetensors", here / "run/encoder/config.json"
    if damage == "torn weights":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "no weights":
        weights.unlink()
    elif damage == "torn config":
        config.write_text(config.read_text()[:40])
    else:
        config.write_text(json.dumps(json.loads(config.read_text()) | {"name": "resnet18"}))
    assert "run/encoder" in fails(command, capsys)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_an_encoder_for_other_data(command: list[str], here: Path, capsys: pytest.CaptureFixture) -> None:
    two = np.repeat(PIXELS[..., None], 2, axis=3)
    np.save("good.npy", two)
    np.savez("labelled.npz", x=two, y=np.arange(16) % 2)
    assert "1 or 3 channels" in fails(command, capsys)


def unfinished(run: Path) -> Path:
    shutil.rmtree(run / "encoder")
    return run / "checkpoints" / "last.ckpt"


def test_a_torn_checkpoint(here: Path, capsys: pytest.CaptureFixture) -> None:
    last = unfinished(here / "run")
    last.write_bytes(last.read_bytes()[:1000])
    assert "last.ckpt" in fails(["resume", "run"], capsys)


def test_a_checkpoint_of_another_method(here: Path, capsys: pytest.CaptureFixture) -> None:
    unfinished(here / "run")
    config = here / "run" / "config.yaml"
    other = "method:\n  name: vicreg\n  out_dim: 64\n"
    text = config.read_text()
    config.write_text(text[: text.index("method:")] + other + text[text.index("data:") :])
    assert "last.ckpt" in fails(["resume", "run"], capsys)


def test_data_that_is_gone_when_resuming(here: Path, trained: Path, capsys: pytest.CaptureFixture) -> None:
    unfinished(here / "run")
    config = here / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(trained.parent / "x.npy"), str(here / "moved.npy")))
    assert "moved.npy" in fails(["resume", "run"], capsys)


@pytest.mark.parametrize("text", ["", "- 1\n", "method: {name: simclr}\n", "a: ["])
def test_a_damaged_configuration(text: str, here: Path, capsys: pytest.CaptureFixture) -> None:
    (here / "run" / "config.yaml").write_text(text)
    assert "config.yaml" in fails(["resume", "run"], capsys)


def test_debug_shows_where(here: Path) -> None:
    with pytest.raises(ValueError, match='no method "smclr"'):
        main(["pretrain", "smclr", "good.npy", "--debug"])


def test_a_fault_is_called_one_and_hides_its_traceback(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("anyview.cli.systems.systems", breaks)
    assert main(["systems"]) == 1
    err = capsys.readouterr().err
    assert err.splitlines() == [err.strip()]
    assert "ZeroDivisionError: boom" in err
    assert "--debug" in err
