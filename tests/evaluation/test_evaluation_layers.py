"""The weighted sum of layers: the minimum of its loss, the layer that knows, and the means it stands on."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from anyview.data import open as open_data
from anyview.encoders.base import layer_outputs
from anyview.errors import InputError
from anyview.evaluation.features import Features, Labelled, Split
from anyview.evaluation.logistic import SoftmaxRegression
from anyview.evaluation.protocols import judge
from anyview.evaluation.protocols.layers import Weighted, WeightedRegression, layer_means
from anyview.modalities import modality
from anyview.training.model import Model


def layered(seed: int, samples: int = 200) -> Labelled:
    """Three layers of four features, of which one tells the class and another a little of it."""
    g = torch.Generator().manual_seed(seed)
    label = torch.arange(samples) % 3
    x = torch.randn(samples, 3, 4, generator=g)
    x[:, 1, :3] += 2 * torch.eye(3)[label]
    x[:, 2, :3] += torch.eye(3)[label]
    x = x.flatten(1)
    return Labelled((x - x.mean(0)) / x.std(0), label)


def test_given_its_weights_the_fit_is_scikit_learns() -> None:
    data, l2 = layered(0), 0.01
    problem = WeightedRegression(data.x, data.label, 3, 3)
    layer = problem.fit(l2)
    share, weight, _ = problem.parts(problem.solution)
    mixed = torch.einsum("nld,l->nd", data.x.view(-1, 3, 4).double(), share)
    theirs = LogisticRegression(C=1 / (l2 * 200), tol=1e-10, max_iter=10_000).fit(mixed, data.label)
    torch.testing.assert_close(weight.T, torch.from_numpy(theirs.coef_), atol=2e-3, rtol=0)
    p = torch.from_numpy(theirs.predict_proba(mixed))
    torch.testing.assert_close(layer.scores(data.x)[0].softmax(1).double(), p, atol=2e-3, rtol=0)


def test_weights_are_at_a_minimum_and_follow_what_the_layers_know() -> None:
    data = layered(0)
    problem = WeightedRegression(data.x, data.label, 3, 3)
    problem.fit(0.01)
    share, weight, bias = problem.parts(problem.solution)
    assert float(share[1]) > float(share[2]) > 2 * float(share[0])

    def loss(logits: torch.Tensor) -> float:
        mixed = torch.einsum("nld,l->nd", data.x.view(-1, 3, 4).double(), logits.softmax(0))
        return float(torch.nn.functional.cross_entropy(mixed @ weight + bias, data.label))

    best = share.log()
    for step in torch.eye(3).double():  # one of them is all but left out: it could be less still
        assert loss(best) <= min(loss(best + 0.05 * step), loss(best - 0.05 * step)) + 1e-9


def test_one_layer_is_plain_logistic_regression() -> None:
    data = layered(0)
    ours = WeightedRegression(data.x, data.label, 3, 1).fit(0.01)
    plain = SoftmaxRegression(data.x[None], data.label[None], 3).fit(0.01)
    torch.testing.assert_close(ours.weight, plain.weight, atol=2e-3, rtol=0)
    new = layered(1)
    found = Weighted(data, layered(2), layers=3)(new.x)[0]
    assert float((found == new.label).double().mean()) > 0.75


@pytest.fixture(scope="module")
def digits() -> tuple[Model, list]:
    torch.manual_seed(0)
    whole, kind = open_data("digits").train, modality("image")
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))[:500]
    model = Model(kind.encoder("vit-nano", whole.spec, dim=16, depth=2, heads=2), kind, whole.spec)
    return model, [whole.take(part) for part in order.split([300, 100, 100])]


def test_means_are_those_of_valid_tokens_and_rows_are_of_encoders_only(digits) -> None:
    model, sources = digits
    means = layer_means(model, sources[2])
    assert means.shape == (100, 3, 16)
    x = model.modality.inputs(sources[2].fetch(torch.arange(100)).x, model.spec)
    with torch.no_grad():
        outputs = layer_outputs(model.encoder, x)
    assert list(outputs) == [0, 1, 2]
    torch.testing.assert_close(means[:, 2], outputs[2].values.mean(1), atol=1e-5, rtol=1e-5)
    parts = [Split(model.embed_source(source), source.label, source) for source in sources]
    with_model, without = Features(*parts, model=model), Features(*parts)
    (result,) = judge({"untrained": with_model, "raw": without}, ["layers"])
    assert list(result.figures) == ["untrained"]
    assert result.figures["untrained"].mean > 0.5


def test_layers_of_several_widths_cannot_be_summed(digits) -> None:
    _, sources = digits
    kind, spec = modality("image"), sources[0].spec
    model = Model(kind.encoder("convnet-s", spec, width=8), kind, spec)
    with pytest.raises(InputError, match="convnet-s has widths 8, 16"):
        layer_means(model, sources[2])
