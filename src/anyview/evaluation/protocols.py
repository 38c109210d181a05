"""The protocols by name, and ``judge``, which holds every representation to the same ones."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from jaxtyping import Float, Int
from torch import Tensor

from anyview.errors import unknown
from anyview.evaluation.features import Features, Labelled, labelled
from anyview.evaluation.fewshot import FewShot
from anyview.evaluation.knn import KNN
from anyview.evaluation.linear import Linear
from anyview.evaluation.result import Figure, Result

#: labels for new embeddings, one row of them a draw; all that a protocol keeps of the data it saw
Predict = Callable[[Float[Tensor, "samples features"]], Int[Tensor, "draws samples"]]
#: (train, validation, seed) -> predict
Fit = Callable[[Labelled, Labelled, int], Predict]

#: what a user asks for -> the rows it gives
PROTOCOLS: dict[str, dict[str, Fit]] = {
    "fewshot": {f"fewshot-{shots}": partial(FewShot, shots=shots) for shots in (1, 5, 10)},
    "linear": {"linear": Linear},
    "knn": {"knn": KNN},
}


def judge(
    representations: Mapping[str, Features],
    protocols: Sequence[str] = ("fewshot", "linear", "knn"),
    seed: int = 0,
) -> list[Result]:
    """Judges representations of one dataset by one set of protocols.

    Args:
        representations: ``pretrained``, ``untrained``, ``raw`` ... -> its features; the order is kept.

    Returns:
        One result a row of the table, accuracy on the test split. Draws and resamples follow ``seed`` and are
        the same for every representation.

    Raises:
        InputError: unknown protocol, missing labels, one class only, embeddings that are not finite.
    """
    for name in protocols:
        if name not in PROTOCOLS:
            raise unknown("protocol", name, PROTOCOLS)
    splits = {name: labelled(name, features) for name, features in representations.items()}
    return [
        Result(row, "accuracy", "test", {name: accuracy(fit, *parts, seed) for name, parts in splits.items()})
        for protocol in dict.fromkeys(protocols)
        for row, fit in PROTOCOLS[protocol].items()
    ]


def accuracy(fit: Fit, train: Labelled, validation: Labelled, test: Labelled, seed: int = 0) -> Figure:
    """Accuracy on test: over draws where the protocol has several, else with the split's sampling error."""
    predict = fit(train, validation, seed)
    correct = predict(test.x).eq(test.label)
    return Figure.over(correct.double().mean(1)) if len(correct) > 1 else Figure.bootstrap(correct[0], seed)
