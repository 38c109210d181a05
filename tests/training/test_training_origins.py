"""Encoders of any origin through one door: each gives what it gives alone, and what is wrong is one line."""

import json
import pickle
import zipfile
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

import anyview as av
from anyview.cli.main import main
from anyview.data.batch import Ragged
from anyview.data.text.vocabulary import decode, exact_spec, numbers
from anyview.encoders.foreign import reinitialised
from anyview.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 12, 12, 3), dtype=np.uint8)
LABEL = np.arange(20) % 2
VECTORS = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32)
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
ONE_LINE = partial(pytest.raises, InputError, match=r"^[^\n]*$")


class Net(nn.Module):
    """A small network of images with a feature map inside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.conv(x)).relu().mean((2, 3))


class Reads(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :4] + torch.from_file("/etc/hostname", False, 1, dtype=torch.uint8).sum()


class Starts(nn.Module):
    """What TorchScript runs while it loads."""

    @torch.jit.export
    def __getstate__(self):
        return self.training

    @torch.jit.export
    def __setstate__(self, state: bool):
        self.training = state and bool(torch.from_file("/etc/hostname", False, 1, dtype=torch.uint8).any())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("origins")
    np.savez(folder / "x.npz", x_train=PIXELS[:14], y_train=LABEL[:14], x_test=PIXELS[14:], y_test=LABEL[14:])
    torch.manual_seed(0)
    torch.jit.script(Net().eval()).save(str(folder / "net.pt"))
    return folder


def scaled(pixels, name):
    mean, std = {"none": (0.0, 1.0), "half": (0.5, 0.5)}[name]
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std


def vectors(path, column, **other):
    pq.write_table(pa.table({"vector": pa.array(list(column)), **other}), path)
    return path


@pytest.mark.parametrize("scale", ["none", "half"])
def test_a_torchscript_file_gives_what_it_gives_alone(here, scale):
    model = av.load(here / "net.pt", here / "x.npz", normalise=scale)
    with torch.no_grad():
        alone = torch.jit.load(str(here / "net.pt")).eval()(scaled(PIXELS[14:], scale))
    np.testing.assert_allclose(
        model.embed(here / "x.npz", split="test", precision="fp32"), alone.numpy(), atol=1e-5
    )
    assert not model.renewable


def test_an_onnx_file_gives_what_its_operators_give(here):
    onnx, _ = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    weight = np.random.default_rng(2).normal(size=(432, 6)).astype(np.float32)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", kind, ["n", 3, 12, 12])],
        [helper.make_tensor_value_info("y", kind, ["n", 6])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (here / "net.onnx").write_bytes(made.SerializeToString())
    got = av.embed(av.load(here / "net.onnx", here / "x.npz", normalise="half"), here / "x.npz", split="test")
    np.testing.assert_allclose(
        got, scaled(PIXELS[14:], "half").flatten(1).numpy() @ weight, rtol=1e-4, atol=1e-4
    )


def test_a_function_is_judged_and_a_network_has_an_untrained_one(here):
    def mean_colour(x):
        return x.mean((2, 3)).numpy()

    data = here / "x.npz"
    np.testing.assert_allclose(
        av.embed(mean_colour, data, split="test"), scaled(PIXELS[14:], "none").mean((2, 3)).numpy(), atol=1e-6
    )
    (knn,) = av.evaluate(mean_colour, data, protocols=["knn"])
    assert set(knn.figures) == {"pretrained", "raw"}
    (knn,) = av.evaluate(Net(), data, protocols=["knn"])
    assert set(knn.figures) == {"pretrained", "untrained", "raw"}


def test_a_function_of_texts_gets_them_letter_by_letter():
    texts = ["Ünïcode, and CAPITALS  with  gaps\n", "[PAD] [UNK] 日本語", "plain text of some words"]
    seen = []

    def letters(batch):
        seen.extend(batch)
        return np.array([[len(t), sum(map(ord, t))] for t in batch], dtype=np.float32)

    found = av.embed(letters, texts)
    assert found[:, 0].tolist() == [len(t) for t in texts]
    assert set(seen) == set(texts)
    assert decode(numbers(texts, exact_spec())[0], exact_spec()) == texts


def test_fresh_weights_are_others_of_the_same_kind_or_there_are_none():
    net = Net()
    fresh = reinitialised(net)
    assert {k: v.shape for k, v in fresh.state_dict().items()} == {
        k: v.shape for k, v in net.state_dict().items()
    }
    assert not torch.equal(fresh.conv.weight, net.conv.weight)
    net.free = nn.Parameter(torch.zeros(2))  # no layer says how this one starts
    assert reinitialised(net) is None


@pytest.mark.parametrize("how", ["order", "split", "id", "npy", "fixed"])
def test_vectors_are_joined_to_their_samples(tmp_path, how):
    ids = [f"s{i:02}" for i in range(20)]
    data = tmp_path / "x.csv"
    data.write_text("a,b,name,label\n" + "".join(f"{i},{i * i},{n},{i % 2}\n" for i, n in enumerate(ids)))
    shuffled = np.random.default_rng(3).permutation(20)
    path, options = tmp_path / "v.parquet", {}
    if how == "npy":
        path = tmp_path / "v.npy"
        np.save(path, VECTORS)
    elif how == "id":
        vectors(path, VECTORS[shuffled], name=[ids[i] for i in shuffled])
        options = {"id": "name"}
    elif how == "split":
        vectors(path, VECTORS[shuffled], split=["train"] * 20, index=shuffled)
    elif how == "fixed":
        flat = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.reshape(-1)), 5)
        pq.write_table(pa.table({"other": ids, "embedding": flat}), path)
    else:
        vectors(path, VECTORS)
    model = av.load(path, data, **options)
    np.testing.assert_array_equal(model.embed(data), VECTORS)
    part = model.open(data).take(torch.tensor([7, 3]))
    np.testing.assert_array_equal(model.embed_source(part).numpy(), VECTORS[[7, 3]])


def test_vectors_that_embed_wrote_give_the_figures_of_their_encoder(here, tmp_path, capsys):
    data, out = str(here / "x.npz"), str(tmp_path / "v.parquet")
    net = [str(here / "net.pt"), data, "--normalise", "half"]
    assert main(["embed", *net, "--out", out]) == 0
    assert main(["evaluate", *net, "--protocol", "knn", "linear", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert main(["evaluate", out, data, "--protocol", "knn", "linear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first


def test_both_sides_of_pairs_may_be_given(tmp_path):
    data = tmp_path / "p.parquet"
    words = [f"a sentence with the number {i}" for i in range(20)]
    score = np.linspace(0, 1, 20)
    pq.write_table(pa.table({"sentence1": words, "sentence2": words[::-1], "score": score}), data)
    angle = np.pi * (1 - score)  # the wider, the less alike
    first, second = np.eye(2)[[0] * 20], np.stack([np.cos(angle), np.sin(angle)], 1)
    pq.write_table(pa.table({"first": list(first), "second": list(second)}), tmp_path / "v.parquet")
    (sts,) = av.evaluate(tmp_path / "v.parquet", data, protocols=["sts"])
    assert sts.figures["pretrained"].mean == pytest.approx(1.0)


def checkpoint(path):
    torch.save(Net().state_dict(), path)


def old_pickle(path):
    path.write_bytes(pickle.dumps([1, 2]))


def script(network):
    return lambda path: torch.jit.script(network).save(str(path))


def renamed(path):
    """A program whose part has a name that only a careless reader of archives overlooks."""
    script(Reads())(path.with_name("plain.pt"))
    with zipfile.ZipFile(path.with_name("plain.pt")) as plain, zipfile.ZipFile(path, "w") as odd:
        for name in plain.namelist():
            odd.writestr(name.replace("code/", "CODE/").replace(".py", ".PY"), plain.read(name))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            checkpoint,
            "holds no TorchScript program; a pickle made by torch.save can run code and is never loaded",
        ),
        (old_pickle, "holds no TorchScript program"),
        (script(Reads()), "uses from_file, which can reach beyond it; it is not run"),
        (script(Starts()), "uses from_file"),
        (renamed, "uses from_file"),
        (lambda path: None, "there is no file"),
    ],
)
def test_a_pt_file_that_could_do_more_than_compute_is_not_loaded(here, tmp_path, monkeypatch, make, says):
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was loaded"))
    make(tmp_path / "w.pt")
    with ONE_LINE() as error:
        av.load(tmp_path / "w.pt", here / "x.npz", normalise="none")
    assert says in str(error.value)


def test_torchscript_itself_refuses_objects_of_python(here, tmp_path):
    """The claim of docs/evaluation.md: what reads a TorchScript file makes no object but TorchScript's own."""
    with zipfile.ZipFile(here / "net.pt") as good, zipfile.ZipFile(tmp_path / "bad.pt", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, pickle.dumps(Evil(), 2) if name.endswith("/data.pkl") else good.read(name))
    with ONE_LINE() as error:
        av.load(tmp_path / "bad.pt", here / "x.npz", normalise="none")
    assert "cannot be loaded as TorchScript" in str(error.value)
    assert not Evil.ran


class Evil:
    ran: list[str] = []

    def __reduce__(self):
        return Evil.ran.append, ("ran",)


@pytest.mark.parametrize(
    ("rows", "other", "says"),
    [
        (VECTORS[:19], {}, "v.parquet has 19 rows and x 14 train, 6 test; give a row a sample"),
        (
            [*VECTORS[:19], VECTORS[0] * np.nan],
            {},
            "is not finite (NaN or infinite) in 1 of 20 rows, first row 19",
        ),
        ([*VECTORS[:19], VECTORS[0][:3]], {}, "is ragged: row 0 has 5 numbers, row 19 has 3"),
        ([*VECTORS[:19], None], {}, "has no vector in 1 of 20 rows, first row 19"),
        (["word"] * 20, {}, "has no column of vectors (columns: vector)"),
        (VECTORS, {"split": ["train"] * 13 + ["test"] * 7}, "has 13 train, 7 test and x 14 train, 6 test"),
    ],
)
def test_vectors_that_do_not_fit_are_one_line(here, tmp_path, rows, other, says):
    with ONE_LINE() as error:
        av.evaluate(vectors(tmp_path / "v.parquet", rows, **other), here / "x.npz", protocols=["knn"])
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("net.pt", {}, "say how the pixels"),
        ("net.pt", {"normalise": "imagnet"}, 'no normalisation "imagnet"; did you mean "imagenet"?'),
        (
            "net.pt",
            {"normalise": "none", "weights": "w.safetensors"},
            "takes no --weights; it takes --size, --normalise",
        ),
        ("none.onnx", {"normalise": "none"}, "none.onnx"),
        ("st:nowhere", {}, "no folder nowhere, and no installed package of that name"),
    ],
)
def test_what_must_be_said_or_cannot_be_is_one_line(here, monkeypatch, name, options, says):
    monkeypatch.chdir(here)
    with ONE_LINE() as error:
        av.load(name, "x.npz", **options)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: x.no_such(), "failed on samples of this kind"),
        (lambda x: x[:1].flatten(1), "answers (1, 432) for 2 samples"),
        (lambda x: x.mean((1, 2, 3)), "one vector a sample"),
    ],
)
def test_a_function_that_answers_something_else_is_one_line(here, function, says):
    with ONE_LINE() as error:
        av.load(function, here / "x.npz")
    assert says in str(error.value)


def test_what_is_only_called_is_not_trained_saved_or_asked_about_other_samples(here, tmp_path):
    model = av.load(Net(), here / "x.npz")
    with ONE_LINE() as error:
        model.save(tmp_path / "saved")
    assert "cannot be saved here" in str(error.value)
    assert not (tmp_path / "saved").exists()
    with pytest.raises(InputError, match="only called; it cannot be trained here"):
        av.evaluate(model, here / "x.npz", protocols=["linear"], supervised=True)
    known = vectors(tmp_path / "v.parquet", VECTORS)
    with pytest.raises(InputError, match="vectors of the samples as they are"):
        av.evaluate(known, here / "x.npz", protocols=["robustness"])


def test_token_and_map_answers_are_averaged_over_what_is_valid():
    from anyview.encoders.foreign import ForeignEncoder

    x = Ragged.of([torch.tensor([1, 2]), torch.tensor([3])])

    def framed(x):
        values, valid = x.padded()
        return values, valid.long()

    tokens = ForeignEncoder("it", lambda ids, mask: ids[..., None].expand(-1, -1, 3).float(), framed, x)
    assert tokens(x).tolist() == [[1.5] * 3, [3.0] * 3]
    maps = ForeignEncoder("it", lambda x: x, lambda x: (x,), torch.arange(8.0).view(1, 2, 2, 2))
    assert maps(torch.arange(8.0).view(1, 2, 2, 2)).tolist() == [[1.5, 5.5]]
    assert maps.tokens(torch.arange(8.0).view(1, 2, 2, 2)).coords[0].tolist() == [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
    ]
