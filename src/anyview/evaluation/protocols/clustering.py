"""Clustering: do the classes fall apart by themselves, without any label?"""

import warnings

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from anyview.errors import InputError
from anyview.evaluation.metrics import matched
from anyview.evaluation.protocols.base import Case, Protocol, Rows
from anyview.evaluation.result import Figure

STARTS = 10


class Clustering(Protocol):
    """k-means of the test embeddings, scaled to unit length, with as many clusters as train has classes.

    Each of ``STARTS`` runs begins with other centroids (k-means++), and the figures are spread over them: no run is
    picked. Labels only score: NMI (arithmetic mean of the entropies), the adjusted Rand index, and the accuracy
    of the best one-to-one match of clusters to classes.

    Raises:
        InputError: fewer test samples than classes.
    """

    name = "clustering"

    def answer(self, case: Case) -> Int[Tensor, "starts samples"]:
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning

        x, count = F.normalize(case.x, dim=1).cpu().numpy(), len(case.train.label.unique())
        if len(x) < count:
            raise InputError(
                f"clustering makes a cluster of each of {count} classes, and test has {len(x)} samples. "
                "Give more test samples, or leave out clustering."
            )
        runs = [KMeans(count, n_init=1, random_state=case.seed * STARTS + start) for start in range(STARTS)]
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # fewer places than clusters: it has collapsed
            return torch.stack([torch.from_numpy(run.fit_predict(x)).long() for run in runs])

    def measure(
        self, answer: Int[Tensor, "starts samples"], label: Int[Tensor, "samples"], seed: int
    ) -> Rows:
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

        label = label.cpu()
        scores = {"nmi": normalized_mutual_info_score, "ari": adjusted_rand_score}
        found = {name: [score(label, run) for run in answer] for name, score in scores.items()}
        found["accuracy"] = [matched(run, label) for run in answer]
        return {("clustering", name): Figure.over(torch.tensor(values)) for name, values in found.items()}


PROTOCOL = Clustering()
