"""Checkpoints that are damaged, of something else, or a stranger's."""

import random
import shutil
import signal
import zipfile
from pathlib import Path

import pytest
import torch

from anyview.data.source import Dataset, StreamSource
from anyview.errors import InputError, Interrupted
from anyview.training import run as run_module
from anyview.training.checkpoint import checkpoint_to_resume, last_checkpoint, read
from anyview.training.module import Pretraining
from anyview.training.plan import Plan, make_plan
from anyview.training.run import train

PIXELS = torch.randint(0, 256, (24, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def plan(**options: object) -> Plan:
    """3 steps an epoch, 6 in all."""
    quick = {"batch_size": 8, "log_steps": 1, "health": False, "checkpoint_steps": 2, "epochs": 2}
    return make_plan("mocov2", PIXELS, options={**quick, **options})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole")
    train(plan(), run)
    return run


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def flat(found: dict) -> list[bytes]:
    tensors = [found["state_dict"][k] for k in sorted(found["state_dict"])]
    for state in found["optimizer_states"][0]["state"].values():
        tensors += [v for v in state.values() if isinstance(v, torch.Tensor)]
    return [t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() for t in tensors]


def test_no_flipped_bit_gets_through(copy: Path) -> None:
    """Of a flipped bit anywhere, in tensors as in the file's own tables, either it is refused or nothing is other."""
    path, draw = copy / "checkpoints" / "last.ckpt", random.Random(0)
    data, expected = bytearray(path.read_bytes()), flat(read(path))
    with zipfile.ZipFile(path) as archive:
        tables = archive.start_dir
        starts = [entry.header_offset for entry in archive.infolist()]
    places = [draw.randrange(len(data)) for _ in range(20)]
    places += [draw.choice(starts) + draw.randrange(64) for _ in range(20)]
    places += [draw.randrange(tables, len(data)) for _ in range(20)]
    refused = 0
    for place in places:
        data[place] ^= 1 << (bit := draw.randrange(8))
        path.write_bytes(data)
        try:
            assert flat(read(path)) == expected, f"bit {bit} of byte {place}"
        except InputError:
            refused += 1
        data[place] ^= 1 << bit
    assert refused > 30
    path.write_bytes(data)
    assert flat(read(path)) == expected


def test_what_died_while_renaming_goes_on_from_the_one_before(copy: Path) -> None:
    (copy / "checkpoints" / "last.ckpt").rename(copy / "checkpoints" / ".last.ckpt.1.part")
    found = last_checkpoint(copy)
    assert found is not None
    assert found.name == "previous.ckpt"


def changed(found: dict, what: str) -> dict:
    name = next(k for k, v in found["state_dict"].items() if v.ndim > 1)
    if what == "dtype":
        found["state_dict"][name] = found["state_dict"][name].double()
    elif what == "shape":
        found["state_dict"][name] = found["state_dict"][name][:-1]
    elif what == "missing":
        del found["state_dict"][name]
    elif what == "more":
        found["state_dict"]["method.more"] = torch.zeros(1)
    elif what == "moments":
        state = found["optimizer_states"][0]["state"]
        state[0]["exp_avg"] = state[0]["exp_avg"].flatten()[:-1]
    elif what == "groups":
        found["optimizer_states"][0]["param_groups"][0]["params"].pop()
    elif what == "optimisers":
        found["optimizer_states"] = []
    elif what == "not tensors":
        found["state_dict"] = dict.fromkeys(found["state_dict"], 3)
    elif what == "clock":
        found["anyview"] = {}
    elif what == "entries":
        found["hparams_name"] = "kwargs"
    elif what == "step":
        found["global_step"] = -1
    return found


@pytest.mark.parametrize(
    "what",
    [
        "dtype",
        "shape",
        "missing",
        "more",
        "moments",
        "groups",
        "optimisers",
        "not tensors",
        "clock",
        "entries",
        "step",
    ],
)
def test_a_checkpoint_that_does_not_fit_is_one_line(copy: Path, what: str) -> None:
    for path in (copy / "checkpoints").iterdir():
        torch.save(changed(torch.load(path, weights_only=True), what), path)
    with pytest.raises(InputError) as caught:
        checkpoint_to_resume(plan(), copy)
    assert "last.ckpt" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signals_save_and_say_how_to_go_on(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """In a step, which is finished; then while the embedding is written, when nothing is left to finish."""
    step, embedding, before = Pretraining.training_step, run_module.write_embedding, signal.getsignal(number)

    def training_step(self, batch, batch_idx):
        if self.global_step == 3:
            signal.raise_signal(number)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as m:
        m.setattr(Pretraining, "training_step", training_step)
        with pytest.raises(Interrupted, match=rf"saved at step 4. Continue with: anyview resume {tmp_path}"):
            train(plan(), tmp_path)
    with monkeypatch.context() as m:
        m.setattr(run_module, "write_embedding", lambda *_: signal.raise_signal(number))
        with pytest.raises(Interrupted, match=r"saved at step 6"):
            train(plan(), tmp_path, resume=True)
    assert signal.getsignal(number) is before
    assert not (tmp_path / "encoder").exists()
    assert embedding is run_module.write_embedding
    train(plan(), tmp_path, resume=True)
    last = "checkpoints/last.ckpt"
    assert flat(read(tmp_path / last)) == flat(read(whole / last))
    assert (tmp_path / "encoder" / "model.safetensors").read_bytes() == (
        whole / "encoder" / "model.safetensors"
    ).read_bytes()


def test_the_table_has_each_step_once_however_the_run_died(tmp_path: Path, whole: Path) -> None:
    """With health, which is measured before the first step and after the last, where there is no loss."""
    run = tmp_path / "run"
    run.mkdir()
    train(plan(health=True), run)
    table = run / "metrics.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines) + "\n6,2.0,1.2")  # torn by a power cut, after the last checkpoint
    shutil.rmtree(run / "encoder")
    train(plan(health=True), run, resume=True)
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == [
        li.split(",")[0] for li in lines
    ]
    assert len({tuple(line.split(",")[:5]) for line in lines}) == len(lines)
    for path in (run / "checkpoints").iterdir():  # and one that died before its first checkpoint
        path.unlink()
    shutil.rmtree(run / "encoder")
    train(plan(health=True), run, resume=True)
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == [
        li.split(",")[0] for li in lines
    ]
    assert (run / "checkpoints" / "last.ckpt").exists()


def test_a_seed_gives_the_same_bits_for_any_number_of_workers(tmp_path: Path) -> None:
    """On data that is decoded as it goes, so that there are workers at all."""

    def streamed() -> Dataset:
        spec = make_plan("simclr", PIXELS, options={"health": False}).dataset.spec
        source = StreamSource("image", spec, list(PIXELS), torch.clone, str)
        return Dataset("streamed", "image", {"train": source})

    kept = []
    for workers in (0, 1, 2):
        run = tmp_path / str(workers)
        run.mkdir()
        options = {"batch_size": 8, "epochs": 2, "health": False, "log_steps": 1, "workers": workers}
        train(make_plan("simclr", streamed(), options=options), run)
        losses = [line.split(",")[4] for line in (run / "metrics.csv").read_text().splitlines()]
        kept.append((flat(read(run / "checkpoints" / "last.ckpt")), losses))
    assert kept[0] == kept[1] == kept[2]
    assert len(kept[0][1]) == 7
