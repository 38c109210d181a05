"""Protocols of pairs against slow references, and evaluate on pairs, with a modality made up here."""

import numpy as np
import pytest
import torch
from scipy.stats import rankdata, spearmanr
from torch import Tensor

import anyview as av
from anyview.data.source import Dataset, MemorySource, Source
from anyview.errors import InputError
from anyview.evaluation import pairs
from anyview.evaluation.pairs import Sides, check_finite
from anyview.evaluation.protocols import judge_pairs
from anyview.evaluation.protocols import retrieval as retrieval_module
from anyview.evaluation.protocols.base import PairCase
from anyview.evaluation.protocols.retrieval import rank_of_other
from anyview.evaluation.result import Result
from anyview.evaluation.verdict import verdict
from anyview.modalities.base import Modality
from anyview.report.tables import results_markdown
from anyview.training.model import Model


def sts(sides: dict[str, Sides], score: Tensor | None) -> list[Result]:
    return judge_pairs({name: PairCase(s) for name, s in sides.items()}, ["sts"], score)["sts"]


def retrieval(sides: dict[str, Sides], names: tuple[str, str] = ("first", "second")) -> list[Result]:
    return judge_pairs({name: PairCase(s, names) for name, s in sides.items()}, ["retrieval"])["retrieval"]


def zeroshot(named: dict[str, tuple[Tensor, Tensor]], label: Tensor) -> list[Result]:
    cases = {name: PairCase(Sides(x, x), words=words) for name, (x, words) in named.items()}
    return judge_pairs(cases, ["zeroshot"], label)["zeroshot"]


def couples(n: int = 120, dim: int = 6, noise: float = 0.6, seed: int = 0) -> Sides:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dim, generator=g)
    return Sides(x, x + noise * torch.randn(n, dim, generator=g))


# ---------------------------------------------------------------- similarity of pairs


@pytest.mark.parametrize("seed", range(4))
def test_sts_is_scipys_spearman_of_cosines(seed):
    sides, score = couples(seed=seed), torch.randint(6, (120,)).float()
    (result,) = sts({"it": sides}, score)
    a, b = sides.first.double().numpy(), sides.second.double().numpy()
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert result.figures["it"].mean == pytest.approx(spearmanr(cosine, score.numpy()).statistic, abs=1e-4)
    assert (result.protocol, result.metric) == ("sts", "spearman")
    assert result.figures["it"].std == pytest.approx(120**-0.5, rel=0.35)


def test_sts_leaves_out_pairs_without_score_and_takes_whole_numbers():
    sides = couples()
    score = torch.nn.functional.cosine_similarity(sides.first, sides.second)
    assert sts({"it": sides}, score)[0].figures["it"].mean == pytest.approx(1)
    holes = score.clone()
    holes[60:] = torch.nan
    half = Sides(sides.first[:60], sides.second[:60])
    assert sts({"it": sides}, holes) == sts({"it": half}, score[:60])
    whole = (score * 4).round().long().clamp(min=0)
    assert sts({"it": sides}, whole)[0].figures["it"].mean > 0.8


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (None, "sts needs a score for each pair"),
        (torch.full((120,), torch.nan), "0 of 120 test pairs have one"),
        (torch.full((120,), 2.0), "120 of 120 test pairs have one, all the same"),
    ],
)
def test_scores_that_cannot_work(score, message):
    with pytest.raises(InputError, match=message):
        sts({"it": couples()}, score)


# ---------------------------------------------------------------- retrieval


def slow_ranks(queries: Tensor, candidates: Tensor) -> np.ndarray:
    a, b = (torch.nn.functional.normalize(v.double(), dim=1).numpy() for v in (queries, candidates))
    similarity = np.round(a @ b.T, 6)
    return np.array([rankdata(-row)[i] for i, row in enumerate(similarity)])


@pytest.mark.parametrize("block", [2**24, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_ranks_are_those_of_the_whole_matrix_whatever_the_block(monkeypatch, seed, block):
    monkeypatch.setattr(retrieval_module, "BLOCK", block)  # 8 queries at a time
    sides = couples(seed=seed)
    for queries, candidates in ((sides.first, sides.second), (sides.second, sides.first)):
        expected = slow_ranks(queries, candidates)
        assert (rank_of_other(queries, candidates).numpy() == expected).mean() > 0.98  # rounding makes a tie


def test_a_tie_counts_as_the_mean_rank():
    same = torch.ones(9, 4)
    assert (rank_of_other(same, same * torch.rand(9, 1)) == 5).all()  # collapsed: it finds nothing
    x = torch.eye(4)
    twice = Sides(torch.cat([x, x]), torch.cat([x, x]))  # every caption stands twice
    assert (rank_of_other(twice.first, twice.second) == 1.5).all()
    rows = {r.metric: r.figures["it"].mean for r in retrieval({"it": twice})}
    assert rows["recall@1"] == 0
    assert rows["recall@5"] == 1
    assert "recall@10" not in rows  # of eight candidates


def test_retrieval_goes_both_ways_with_names():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(50, 8, generator=g)
    hub = x.clone()
    hub[:, 0] += 6  # all second sides lie to one side of the first
    results = retrieval({"it": Sides(x, hub), "best": Sides(x, x)}, ("image", "text"))
    assert [(r.protocol, r.metric) for r in results[:4]] == [
        ("retrieval-image-text", m) for m in ("recall@1", "recall@5", "recall@10", "median rank")]  # fmt: skip
    assert {r.protocol for r in results[4:]} == {"retrieval-text-image"}
    for r in results:
        assert r.figures["best"].mean == 1  # rank 1, recall 1
        assert r.best(["best", "it"]) == "best"
        way = (x, hub) if r.protocol == "retrieval-image-text" else (hub, x)
        ranks = slow_ranks(*way)
        expected = np.median(ranks) if r.metric == "median rank" else (ranks <= int(r.metric[7:])).mean()
        assert r.figures["it"].mean == pytest.approx(expected, abs=0.021)
    assert results[0].title == "image → text, recall@1"


def test_unrelated_sides_are_found_by_chance():
    sides = Sides(couples(1000).first, couples(1000, seed=1).first)
    rows = retrieval({"it": sides})
    assert rows[2].figures["it"].mean == pytest.approx(0.01, abs=0.012)
    assert rows[3].figures["it"].mean == pytest.approx(500, rel=0.15)


def test_pairs_that_cannot_be_judged():
    one = Sides(torch.ones(1, 3), torch.ones(1, 3))
    with pytest.raises(InputError, match="retrieval needs two pairs or more to find one among; test has 1"):
        retrieval({"it": one})
    broken = couples()
    broken.second[17, 2] = torch.nan
    with pytest.raises(
        InputError, match=r'"pretrained" is not finite .* in 1 of 120 test pairs, first pair 17'
    ):
        check_finite("pretrained", "test", broken)


# ---------------------------------------------------------------- classes by their names


def test_zeroshot_names_the_nearest_name():
    words = torch.eye(3)
    label = torch.arange(90) % 3
    x = words[label] + 0.4 * torch.randn(90, 3)
    expected = float(((x / x.norm(dim=1, keepdim=True)) @ words.T).argmax(1).eq(label).double().mean())
    (result,) = zeroshot({"it": (x, words), "same": (torch.ones(90, 3), torch.ones(3, 3))}, label)
    assert result.figures["it"].mean == pytest.approx(expected)
    assert result.figures["same"].mean == pytest.approx(1 / 3)  # a tie is a guess
    label[30:] = -1
    assert zeroshot({"it": (x, words)}, label) == zeroshot({"it": (x[:30], words)}, label[:30])
    with pytest.raises(InputError, match="0 of 90 samples have a label, of 3 classes"):
        zeroshot({"it": (x, words)}, torch.full((90,), -1))


# ---------------------------------------------------------------- evaluate


class Twins(Modality):
    """Signals of eight values, one or two at a time."""

    name = "image"  # an untrained encoder is built by the networks of images
    views = {}
    protocols = ("knn",)
    unit = "signals"
    raw_name = "raw signals"

    def inputs(self, x, spec):
        assert isinstance(x, Tensor), "an encoder takes one side at a time"
        return x

    def sides(self, x):
        return tuple(x.values()) if isinstance(x, dict) else None

    def words(self, texts, spec):
        return torch.stack([SIGNALS[int(text)] for text in texts])

    def raw(self, train: Source, spec):
        return lambda x: x.flatten(1)

    def input(self, spec):
        return {"shape": [1, 1, 8]}


SIGNALS = torch.randn(4, 1, 1, 8, generator=torch.Generator().manual_seed(1))
SPEC = {"shape": [1, 1, 8]}


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    kind = Twins()
    return Model(kind.encoder("convnet-s", SPEC, width=8), kind, SPEC)


def data(label=None, names=None, single=False, splits=("train", "test"), n=60) -> Dataset:
    g = torch.Generator().manual_seed(0)
    x = SIGNALS[torch.arange(n) % 4] + 0.3 * torch.randn(n, 1, 1, 8, generator=g)
    payload = x if single else {"left": x, "right": x + 0.5 * torch.randn(x.shape, generator=g)}
    source = MemorySource("image", SPEC, payload, label, names)
    return Dataset("twins", "image", dict.fromkeys(splits, source))


def test_pairs_with_scores_are_judged_by_similarity(model):
    (result,) = av.evaluate(model, data(torch.rand(60)))
    assert (result.protocol, result.metric) == ("sts", "spearman")
    assert set(result.figures) == {"pretrained", "untrained", "raw"}
    assert "similarity of pairs" in results_markdown([result])
    first, second = model.embed_sides(data().train)
    torch.testing.assert_close(first, model.embed_source(data(single=True).train), atol=1e-5, rtol=1e-5)
    assert first.shape == second.shape == (60, model.dim)


@pytest.mark.parametrize("splits", [("train", "test"), ("train",), ("test",)])
def test_pairs_without_label_are_judged_by_retrieval(model, splits):
    results = av.evaluate(model, data(splits=splits, n=60))
    assert results[0].protocol == "retrieval-left-right"
    assert results[0].figures["raw"].mean > 0.1  # chance is 0.02
    assert "learn" in verdict(results, raw_name="raw signals")


def test_fractions_are_judged_by_regression_and_classes_as_the_modality_says(model):
    level = data(single=True).train.fetch(torch.arange(60)).x.mean((1, 2, 3))
    results = av.evaluate(model, data(level, single=True))
    assert [(r.protocol, r.metric) for r in results] == [("regression", "r2"), ("regression", "rmse")]
    assert results[0].figures["raw"].mean > 0.99  # the mean of its values
    (knn,) = av.evaluate(model, data(torch.arange(60) % 4, single=True))
    assert knn.protocol == "knn"


def test_pairs_with_classes_are_classified_by_difference_and_product(model):
    sides = Sides(*model.embed_sides(data().train))
    features = pairs.compared(sides)
    assert torch.equal(features, pairs.compared(Sides(sides.second, sides.first)))  # sides have no order
    (result,) = av.evaluate(model, data(torch.arange(60) % 4))
    assert result.protocol == "knn"
    assert result.figures["raw"].mean > 0.5


def test_zeroshot_through_evaluate(model):
    (result,) = av.evaluate(model, data(torch.arange(60) % 4, ["0", "1", "2", "3"]), protocols=["zeroshot"])
    assert result.protocol == "zeroshot"
    assert set(result.figures) == {"pretrained", "untrained"}  # there are no raw features of both kinds
    assert 0 <= result.figures["pretrained"].mean <= 1
    with pytest.raises(InputError, match="zeroshot needs labels with names"):
        av.evaluate(model, data(torch.arange(60) % 4), protocols=["zeroshot"])


def test_pairs_with_classes_are_told_apart_by_a_threshold_from_train(model):
    label = torch.arange(60) % 2
    both = data(label, ["different", "same"])
    results = av.evaluate(model, both, protocols=["pair-classification"])
    assert [r.metric for r in results] == ["average precision", "accuracy"]
    assert set(results[0].figures) == {"pretrained", "untrained", "raw"}
    (alone,) = av.evaluate(model, data(label, splits=("test",)), protocols=["pair-classification"])
    assert alone.metric == "average precision"  # without train there is no threshold
    assert alone.figures["raw"] == results[0].figures["raw"]


def test_what_cannot_be_judged_is_said_in_a_line(model):
    with pytest.raises(InputError, match="evaluate needs labels; twins has none in train"):
        av.evaluate(model, data(single=True))
    with pytest.raises(InputError, match="retrieval needs pairs; these are single signals"):
        av.evaluate(model, data(torch.arange(60) % 4, single=True), protocols=["retrieval"])
    with pytest.raises(InputError, match="evaluate needs labels; the train split has none"):
        av.evaluate(model, data(), protocols=["linear"])
    with pytest.raises(InputError, match="linear needs samples to fit on; there is only a test split"):
        av.evaluate(model, data(torch.arange(60) % 4, splits=("test",)), protocols=["linear"])
    with pytest.raises(InputError, match='no protocol "retreival"; did you mean "retrieval"'):
        av.evaluate(model, data(), protocols=["retreival"])
    with pytest.raises(InputError, match="no pairs"):
        model.embed_sides(data(single=True).train)
