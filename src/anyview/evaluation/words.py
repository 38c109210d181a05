"""How the rows of protocols are called: in a table, in a sentence, and what their draws are of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Texts with ``{rest}`` for what follows the first hyphen of a row, and ``{metric}`` for its metric.

    Attributes:
        title: the row in a table.
        place: the end of "it is better ...".
        draws: what was drawn several times, where ± is over draws; empty where it is the sampling error of test.
        several: whether the protocol has several metrics, as its title tells.
    """

    title: str
    place: str
    draws: str = ""
    several: bool = False


WORDS = {
    "fewshot": Words("{rest} labels a class", "with {rest} labels a class", "labels"),
    "fewshot-1": Words("1 label a class", "with one label a class", "labels"),
    "linear": Words("all labels, linear", "with a linear layer on all labels"),
    "knn": Words("nearest neighbours", "with nearest neighbours"),
    "auc": Words("linear, ROC-AUC", "in ROC-AUC of a linear layer"),
    "regression": Words("ridge regression, {metric}", "with ridge regression"),
    "fraction": Words("{rest} % of labels", "with {rest} % of the labels", "fractions"),
    "clustering": Words("k-means, {metric}", "with k-means clusters", "first centroids"),
    "similar": Words("similar samples, {metric}", "in finding similar samples"),
    "calibration": Words("linear, {metric}", "in calibration of a linear layer"),
    "worst": Words("worst class, linear", "in the worst class of a linear layer"),
    "worst-group": Words("worst group, linear", "in the worst group of a linear layer"),
    "mean-group": Words("mean of groups, linear", "in the mean over groups of a linear layer"),
    "group": Words("group {rest}, linear", "in the group {rest} of a linear layer"),
    "pair-classification": Words("same or different, {metric}", "in telling the same from different pairs"),
    "finetune": Words("all weights trained", "when all weights are trained"),
    "finetune-plain": Words(
        "all weights, unchanged views", "when all weights are trained on samples as they are"
    ),
    "layers": Words("all layers, weighted", "with a linear layer on all layers"),
    "robustness": Words("linear, under {rest}", "in a linear layer under {rest}"),
    "dense": Words("every pixel, linear: {metric}", "in naming every pixel by a linear layer"),
    "sts": Words("similarity of pairs", "in similarity of pairs"),
    "zeroshot": Words("by names of classes", "by names of classes"),
    "retrieval": Words("{rest:→}, {metric}", "from {rest:to}"),
    "forecast": Words("next {rest} steps, {metric}", "in forecasting {rest} steps"),
}


class _Rest(str):
    """What follows the first hyphen; ``{rest:to}`` writes ``a-b`` as ``a to b``."""

    def __format__(self, between: str) -> str:
        return self.replace("-", f" {between} ") if between else str(self)


def words(protocol: str, metric: str = "") -> Words | None:
    """The texts of a row, filled in; None for a protocol that has none, which goes by its name."""
    name, _, rest = protocol.partition("-")
    found = WORDS.get(protocol) or WORDS.get(name)
    if found is None:
        return None
    fill = {"rest": _Rest(rest), "metric": metric}
    return Words(
        found.title.format(**fill), found.place.format(**fill), found.draws, "{metric}" in found.title
    )
