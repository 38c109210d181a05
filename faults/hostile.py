"""Files from strangers that would run code, read elsewhere, eat all memory or fool whoever reads the page.

Each case writes one into an empty folder and opens it as a person would. It must be refused in one printable line,
or be harmless in a way that the case itself checks; and ``Payload`` must never have run.
"""

import io
import json
import pickle
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from anyview import data as data_room
from anyview.cli.main import main
from anyview.encoders import registry
from anyview.errors import InputError
from anyview.report.html import write_report
from anyview.training.checkpoint import read
from anyview.training.folder import read_config, read_spec
from anyview.training.model import Model

SCRIPT = "<script>alert(1)</script>"
Case = Callable[[Path], object]
CASES: dict[str, Case] = {}


class Harmless(Exception):
    """What a case raises when it was not refused and has checked that nothing came of it."""


class Payload:
    """A pickle that says so when it is loaded."""

    ran: list[str] = []

    def __reduce__(self) -> tuple:
        return Payload.ran.append, ("ran",)


def case(function: Case) -> Case:
    CASES[function.__name__.replace("_", " ")] = function
    return function


def refused(text: str) -> None:
    """Checks the line that a person reads."""
    assert text, "it says nothing"
    assert len(text.splitlines()) == 1, f"more than one line: {text!r}"
    assert text.isprintable(), f"it could steer a terminal: {text!r}"


def attempt(name: str) -> str:
    """Runs a case; the line it was refused with, or how it was harmless.

    Raises:
        AssertionError: for anything else.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            CASES[name](Path(folder))
        except (InputError, UnreadableCommand) as error:
            refused(str(error))
            said = str(error)
        except Harmless as harmless:
            said = str(harmless)
        else:
            raise AssertionError(f"{name}: it was taken without a word")
    assert not Payload.ran, f"{name}: it ran code"
    return said


class UnreadableCommand(Exception):
    """The line of a command that ended with 2."""


def command(*args: object) -> str:
    """What a command prints to standard output; its error when it ends with 2."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(a) for a in args])
    if code == 2:
        raise UnreadableCommand(err.getvalue().strip("\n"))
    assert code == 0, f"code {code}: {err.getvalue()}"
    return out.getvalue()


# ---- checkpoints


@case
def a_checkpoint_that_is_a_pickle(folder: Path) -> None:
    (folder / "last.ckpt").write_bytes(pickle.dumps(Payload()))
    read(folder / "last.ckpt")


@case
def a_checkpoint_whose_zip_holds_code(folder: Path) -> None:
    torch.save({"state_dict": Payload(), "global_step": 1}, folder / "last.ckpt")
    read(folder / "last.ckpt")


@case
def a_checkpoint_of_a_numpy_object(folder: Path) -> None:
    torch.save({"state_dict": np.array([1, None], object), "global_step": 1}, folder / "last.ckpt")
    read(folder / "last.ckpt")


@case
def a_checkpoint_that_claims_to_be_huge(folder: Path) -> None:
    x = torch.zeros(1)
    torch.save({"state_dict": {"w": torch.as_strided(x, (1,), (1,))}, "global_step": 1}, folder / "last.ckpt")
    raw = (folder / "last.ckpt").read_bytes()
    (folder / "last.ckpt").write_bytes(raw.replace(b"PK\x01\x02", b"PK\x01\x03"))
    read(folder / "last.ckpt")


# ---- configurations


def _run(folder: Path, config: str) -> Path:
    (folder / "config.yaml").write_text(config)
    return folder


@case
def yaml_that_calls_the_shell(folder: Path) -> None:
    read_config(_run(folder, f"method: !!python/object/apply:os.system ['touch {folder}/pwned']"))


@case
def yaml_that_makes_an_object(folder: Path) -> None:
    read_config(_run(folder, "method: !!python/object/new:faults.hostile.Payload {}"))


@case
def yaml_options_that_call_the_shell(folder: Path) -> None:
    _run(folder, "temperature: !!python/object/apply:os.system ['true']")
    command("pretrain", "simclr", "digits", "--config", folder / "config.yaml")


@case
def yaml_nested_without_end(folder: Path) -> None:
    read_config(_run(folder, "[" * 3_000))


@case
def yaml_options_nested_without_end(folder: Path) -> None:
    _run(folder, "{a: " * 3_000)
    command("pretrain", "simclr", "digits", "--config", folder / "config.yaml")


@case
def yaml_of_aliases_that_multiply(folder: Path) -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"] + [f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}" for i in range(1, 40)]
    _run(folder, "\n".join(lines))
    command("pretrain", "simclr", "digits", "--config", folder / "config.yaml")


@case
def a_configuration_of_an_unknown_method(folder: Path) -> None:
    sections = {key: {} for key in ("views", "optimizer", "training")}
    config = {"method": {"name": "../../x"}, "data": {"path": "digits", "modality": None, "label": None, "size": None},
              "encoder": {"name": "os.system"}, "seed": 0, **sections}  # fmt: skip
    _run(folder, json.dumps(config))
    command("resume", folder)


@case
def a_configuration_of_the_wrong_types(folder: Path) -> None:
    keys = ("method", "data", "encoder", "views", "optimizer", "training", "seed")
    command("resume", _run(folder, json.dumps(dict.fromkeys(keys, 7))))


@case
def a_spec_nested_without_end(folder: Path) -> None:
    (folder / "data.json").write_text("[" * 200_000)
    read_spec(folder)


# ---- saved encoders


def _encoder(folder: Path, **changes: object) -> Path:
    registry.save(
        registry.build("convnet-s", (3, 16, 16), width=4), folder, {"modality": "image", "spec": {}}
    )
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@case
def an_encoder_of_an_unknown_class(folder: Path) -> None:
    Model.load(_encoder(folder, name="os.system"))


@case
def an_encoder_named_as_a_path(folder: Path) -> None:
    Model.load(_encoder(folder, name="../../../etc/passwd"))


@case
def an_encoder_that_asks_for_code_of_the_hub(folder: Path) -> None:
    Model.load(_encoder(folder, name="timm:hf-hub:somebody/else"))


@case
def an_encoder_that_starts_from_a_pickle(folder: Path) -> None:
    (folder / "evil.bin").write_bytes(pickle.dumps(Payload()))
    Model.load(
        _encoder(
            folder, weights=str(folder / "evil.bin"), anyview={"modality": "image", "spec": {"shape": 3}}
        )
    )


@case
def an_encoder_with_an_unknown_option(folder: Path) -> None:
    Model.load(_encoder(folder, __class__="x"))


@case
def an_encoder_of_an_unknown_modality(folder: Path) -> None:
    Model.load(_encoder(folder, anyview={"modality": "os", "spec": {}}))


@case
def an_encoder_whose_spec_is_a_word(folder: Path) -> None:
    Model.load(_encoder(folder, anyview={"modality": "image", "spec": "x"}))


def _weights(folder: Path, content: bytes) -> Path:
    (_encoder(folder) / "model.safetensors").write_bytes(content)
    return folder


@case
def weights_that_are_a_pickle(folder: Path) -> None:
    Model.load(_weights(folder, pickle.dumps(Payload())))


@case
def weights_whose_header_is_longer_than_the_file(folder: Path) -> None:
    Model.load(_weights(folder, struct.pack("<Q", 2**62) + b"{}"))


@case
def weights_whose_tensors_lie_outside(folder: Path) -> None:
    header = json.dumps(
        {"stages.0.0.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 2**40]}}
    ).encode()
    Model.load(_weights(folder, struct.pack("<Q", len(header)) + header))


@case
def weights_with_a_header_that_is_no_json(folder: Path) -> None:
    Model.load(_weights(folder, struct.pack("<Q", 8) + b"\xff" * 8))


# ---- encoders that others made


def _judged(encoder: object) -> str:
    return command("evaluate", encoder, "digits", "--protocol", "knn", "--normalise", "data")


class Reaching(torch.nn.Module):
    """A network that reads a file of the machine while it computes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) + torch.from_file("/etc/passwd", False, 8, dtype=torch.uint8).sum()


class Plain(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x)


def _scripted(network: torch.nn.Module, file: Path | io.BytesIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have other files made
        torch.jit.save(torch.jit.script(network), file)


def _program(path: Path, text: str, old: str = "torch.relu") -> Path:
    """A TorchScript file whose program has ``text`` where ``old`` stood."""
    made = io.BytesIO()
    _scripted(Plain(), made)
    with (
        zipfile.ZipFile(made) as good,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bad,
    ):
        for entry in good.infolist():
            content = good.read(entry)
            if entry.filename.endswith(".py"):
                assert old.encode() in content
                content = content.replace(old.encode(), text.encode())
            bad.writestr(entry.filename, content)
    return path


@case
def a_network_that_is_a_pickle(folder: Path) -> None:
    torch.save(Payload(), folder / "x.pt")
    _judged(folder / "x.pt")


@case
def a_network_that_reads_files(folder: Path) -> None:
    _scripted(Reaching(), folder / "x.pt")
    _judged(folder / "x.pt")


@case
def a_network_of_operators_from_elsewhere(folder: Path) -> None:
    _judged(_program(folder / "x.pt", "ops.shell.run"))


@case
def a_network_whose_program_unpacks_to_a_hundred_times_its_size(folder: Path) -> None:
    _judged(_program(folder / "x.pt", "torch.relu" + " " * 2**27))


def _graph(path: Path, *nodes: tuple[str, str], domain: str = "", weight: dict | None = None) -> Path:
    """An ONNX file: operators with their outputs, one after the other from ``x``, to ``y``."""
    import onnx

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inputs = ["x", *(output for _, output in nodes)]
    made = [
        helper.make_node(name, [start] + (["w"] if weight and not i else []), [output], domain=domain)
        for i, ((name, output), start) in enumerate(zip(nodes, inputs))
    ]
    held = [onnx.TensorProto(name="w", data_type=kind, **weight)] if weight else []
    graph = helper.make_graph(
        made,
        "graph",
        [helper.make_tensor_value_info("x", kind, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("y", kind, ["n", "dim"])],
        held,
    )
    versions = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    path.write_bytes(helper.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString())
    return path


@case
def a_graph_whose_weights_lie_outside_of_its_folder(folder: Path) -> None:
    import onnx

    (folder / "secret").write_bytes(bytes(256))
    (folder / "in").mkdir()
    place = onnx.StringStringEntryProto(key="location", value="../secret")
    outside = {"dims": [1, 1, 8, 8], "data_location": onnx.TensorProto.EXTERNAL, "external_data": [place]}
    _judged(_graph(folder / "in" / "x.onnx", ("Add", "a"), ("Flatten", "y"), weight=outside))


@case
def a_graph_of_operators_from_elsewhere(folder: Path) -> None:
    _judged(_graph(folder / "x.onnx", ("System", "y"), domain="os"))


@case
def a_graph_that_claims_petabytes(folder: Path) -> None:
    _judged(_graph(folder / "x.onnx", ("Add", "a"), ("Flatten", "y"), weight={"dims": [10**9, 10**6, 8, 8]}))


@case
def a_graph_that_grows_to_petabytes(folder: Path) -> None:
    import onnx

    size = {"dims": [4], "int64_data": [1, 10**12, 8, 8], "data_type": onnx.TensorProto.INT64}
    graph = onnx.load(_graph(folder / "x.onnx", ("Expand", "a"), ("Flatten", "y"), weight={"dims": [0]}))
    graph.graph.initializer[0].CopyFrom(onnx.TensorProto(name="w", **size))
    onnx.save(graph, folder / "x.onnx")
    _judged(folder / "x.onnx")


def _sentences(folder: Path, kind: str) -> Path:
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}]))
    return folder


@case
def a_sentence_encoder_that_brings_its_own_code(folder: Path) -> None:
    (folder / "evil.py").write_text("from faults.hostile import Payload\nPayload.ran.append('ran')\n")
    command("evaluate", f"st:{_sentences(folder, 'evil.Model')}", "digits")


@case
def a_sentence_encoder_whose_weights_are_a_pickle(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload()))
    command("evaluate", f"st:{_sentences(folder, 'sentence_transformers.models.Transformer')}", "digits")


@case
def vectors_that_are_pickled_objects(folder: Path) -> None:
    np.save(folder / "x.npy", np.array([Payload()], object), allow_pickle=True)
    command("evaluate", folder / "x.npy", "digits", "--protocol", "knn")


# ---- data


@case
def arrays_of_pickled_objects(folder: Path) -> None:
    np.save(folder / "x.npy", np.array([Payload()], object), allow_pickle=True)
    data_room.open(folder / "x.npy")


@case
def an_archive_of_pickled_objects(folder: Path) -> None:
    np.savez(folder / "x.npz", x=np.array([Payload()], object))
    data_room.open(folder / "x.npz")


def _header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@case
def an_array_that_claims_petabytes(folder: Path) -> None:
    (folder / "x.npy").write_bytes(_header("(1000000, 1000000000)"))
    data_room.open(folder / "x.npy")


@case
def an_archive_that_claims_petabytes(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", _header("(1000000, 1000000000)"))
    data_room.open(folder / "x.npz")


@case
def an_array_whose_header_is_code(folder: Path) -> None:
    (folder / "x.npy").write_bytes(_header("__import__('os').getpid()"))
    data_room.open(folder / "x.npy")


@case
def an_archive_that_climbs_out(folder: Path) -> None:
    inside = folder / "in"
    inside.mkdir()
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((4, 8, 8), np.uint8))
    with zipfile.ZipFile(inside / "x.npz", "w") as archive:
        archive.writestr("../../x.npy", buffer.getvalue())
        archive.writestr("../escaped.npy", buffer.getvalue())
    try:
        data_room.open(inside / "x.npz")
    finally:
        assert [p.name for p in folder.rglob("*")] == ["in", "x.npz"], "something was unpacked"


def _png(width: int, height: int, body: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


@case
def an_image_of_gigapixels(folder: Path) -> None:
    (folder / "a.png").write_bytes(_png(60_000, 60_000, bytes(10**7)))
    data_room.open(folder)


@case
def a_program_that_calls_itself_an_image(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n")
    data_room.open(folder)


@case
def a_table_with_broken_metadata(folder: Path) -> None:
    table = pa.table({"a": [1.0, 2.0], "label": [0, 1]})
    pq.write_table(
        table.replace_schema_metadata({"huggingface": "{", "label_names": "{"}), folder / "x.parquet"
    )
    data_room.open(folder / "x.parquet")


@case
def a_table_whose_metadata_are_nested_without_end(folder: Path) -> None:
    table = pa.table({"a": [1.0, 2.0], "label": [0, 1]})
    pq.write_table(table.replace_schema_metadata({"label_names": "[" * 100_000}), folder / "x.parquet")
    data_room.open(folder / "x.parquet")


@case
def a_name_that_climbs_out_of_the_folder_of_datasets(folder: Path) -> None:
    data_room.open("..\\..\\etc")


@case
def a_name_that_steers_the_terminal(folder: Path) -> None:
    command("pretrain", "simclr", f"{folder}/\x1b[2Jgone\nerror: all is well")


@case
def a_file_name_that_steers_the_terminal(folder: Path) -> None:
    (folder / "\x1b]0;x\x07\n.png").write_bytes(b"no image")
    command("pretrain", "simclr", folder)


# ---- names on the page


@case
def scripts_in_names_of_classes_and_files(folder: Path) -> None:
    """From files to the page: class names, file names and the folder's own name, through a whole run."""
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (8, 8), dtype=np.uint8)
    top = folder / "<img src=x onerror=alert(2)>[b]"
    for name in ("<b>bold[", '"><svg onload=alert(3)>'):
        (top / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(pixels + i).save(top / name / f"<i onclick=alert({i})>.png")
    (top / "<b>bold[" / "<script>broken.png").write_bytes(b"no image")
    run = folder / "run"
    command("pretrain", "simclr", top, "--epochs", 1, "--encoder", "convnet-s", "--out", run)
    command("evaluate", run, top, "--protocol", "knn")
    _harmless(run / "report.html", "<img src=x", "<svg on", "<i on", "<b>bold", "<script>broken")


def _harmless(page: Path, *words: str) -> None:
    text = page.read_text()
    for word in words:
        assert word not in text, f"{word} stands in {page.name} as it came"
    raise Harmless("it stands on the page as text")


@case
def scripts_in_every_file_of_a_run(folder: Path) -> None:
    config = {
        "method": {"name": SCRIPT},
        "data": {"path": SCRIPT},
        "encoder": {"name": SCRIPT},
        "note": SCRIPT,
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    (folder / "data.json").write_text(
        json.dumps({"name": SCRIPT, "facts": [SCRIPT], "label_names": [SCRIPT]})
    )
    (folder / "health.json").write_text(
        json.dumps({"verdict": SCRIPT, "events": [{"step": SCRIPT, "text": SCRIPT}]})
    )
    (folder / "verdict.txt").write_text(SCRIPT)
    (folder / "metrics.csv").write_text(f"step,loss,{SCRIPT}\n1,2,{SCRIPT}\n")
    _harmless(write_report(folder), SCRIPT)


@case
def a_report_of_broken_and_bottomless_files(folder: Path) -> None:
    for name in ("config.yaml", "data.json", "health.json", "evaluation.json"):
        (folder / name).write_text("[" * 3_000)
    np.savez(folder / "embedding.npz", vectors=np.array([Payload()], object))
    with zipfile.ZipFile(folder / "samples.npz", "w") as archive:
        archive.writestr("original.npy", _header("(1000000, 1000000000)"))
    assert "could not be read" in write_report(folder).read_text()
    raise Harmless("the page says what it could not read")


def run() -> dict[str, str]:
    """Every case -> how it was refused or harmless."""
    return {name: attempt(name) for name in CASES}
