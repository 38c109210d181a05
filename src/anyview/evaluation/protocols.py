"""The protocols by name, and ``judge``, which holds every representation to the same ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyview.errors import InputError, unknown
from anyview.evaluation.features import Aimed, Features, Labelled, aimed, labelled
from anyview.evaluation.fewshot import FewShot
from anyview.evaluation.knn import KNN
from anyview.evaluation.linear import Linear, Ranking
from anyview.evaluation.metrics import r2, rmse, roc_auc
from anyview.evaluation.result import Figure, Result
from anyview.evaluation.ridge import Ridge

#: answers for new embeddings, all that a protocol keeps of the data it saw: labels ``(draws, samples)``, or
#: what the measure of its task takes
Predict = Callable[[Any], Any]
#: (train, validation, seed) -> predict
Fit = Callable[[Any, Any, int], Predict]

#: what a user asks for -> the rows it gives
PROTOCOLS: dict[str, dict[str, Fit]] = {
    "fewshot": {f"fewshot-{shots}": partial(FewShot, shots=shots) for shots in (1, 5, 10)},
    "linear": {"linear": Linear},
    "knn": {"knn": KNN},
    "auc": {"auc": Ranking},
    "regression": {"regression": Ridge},
}


def accuracy(predict: Predict, test: Labelled, seed: int) -> dict[str, Figure]:
    """Accuracy: over draws where the protocol has several, else with the split's sampling error."""
    correct = predict(test.x).eq(test.label)
    figure = Figure.over(correct.double().mean(1)) if len(correct) > 1 else Figure.bootstrap(correct[0], seed)
    return {"accuracy": figure}


def area(predict: Predict, test: Labelled, seed: int) -> dict[str, Figure]:
    """ROC-AUC of the scores; of more than two classes, the mean of each against the rest."""
    return ranked(predict(test.x), test.label[:, None] == predict.scored, seed)  # type: ignore[attr-defined]


def ranked(score: Any, positive: Any, seed: int) -> dict[str, Figure]:
    """ROC-AUC of scores, with its sampling error.

    Raises:
        InputError: no class has samples in it and others in the test split.
    """
    score, positive = score.cpu(), positive.cpu()
    if roc_auc(score, positive) != roc_auc(score, positive):
        raise InputError(
            f"auc needs test samples of two classes; all {len(score)} are of one. "
            "Give more test samples, or leave out auc."
        )
    return {"auc": Figure.resampled(roc_auc, score, positive, seed=seed)}


def errors(predict: Predict, test: Aimed, seed: int) -> dict[str, Figure]:
    """Share of variance explained, and root mean squared error, of numbers."""
    return predicted(predict(test.x), test.label, seed)


def predicted(answer: Any, target: Any, seed: int) -> dict[str, Figure]:
    """R² and RMSE of predictions, with their sampling error."""
    return {
        "r2": Figure.resampled(r2, answer, target, seed=seed),
        "rmse": Figure.resampled(rmse, answer, target, seed=seed),
    }


@dataclass(frozen=True)
class Task:
    """What a protocol asks of labels, and how its answers on test are measured.

    Attributes:
        parts: (name of the representation, features) -> train, validation and test as it takes them.
        measure: (predict, test, seed) -> metric -> figure.
    """

    parts: Callable[[str, Features], tuple[Any, Any, Any]]
    measure: Callable[[Predict, Any, int], dict[str, Figure]]


#: protocols that are not classification by accuracy
TASKS = {"auc": Task(labelled, area), "regression": Task(aimed, errors)}
CLASSIFICATION = Task(labelled, accuracy)


def judge(
    representations: Mapping[str, Features],
    protocols: Sequence[str] = ("fewshot", "linear", "knn"),
    seed: int = 0,
) -> list[Result]:
    """Judges representations of one dataset by one set of protocols.

    Args:
        representations: ``pretrained``, ``untrained``, ``raw`` ... -> its features; the order is kept.

    Returns:
        One result a row of the table, on the test split. Draws and resamples follow ``seed`` and are the same
        for every representation.

    Raises:
        InputError: unknown protocol, missing labels or labels of another kind, one class only, embeddings that
            are not finite.
    """
    for name in protocols:
        if name not in PROTOCOLS:
            raise unknown("protocol", name, PROTOCOLS)
    tasks = {name: TASKS.get(name, CLASSIFICATION) for name in protocols}
    splits = {
        parts: {name: parts(name, features) for name, features in representations.items()}
        for parts in dict.fromkeys(task.parts for task in tasks.values())
    }
    results = []
    for protocol, task in tasks.items():
        for row, fit in PROTOCOLS[protocol].items():
            found = {}
            for name, (train, validation, test) in splits[task.parts].items():
                found[name] = task.measure(fit(train, validation, seed), test, seed)
            for metric in next(iter(found.values()), {}):
                results.append(
                    Result(row, metric, "test", {name: figures[metric] for name, figures in found.items()})
                )
    return results
