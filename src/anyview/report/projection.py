"""Two looks at an embedding: how many of its dimensions it uses, and a map of it on paper."""

import numpy as np
import torch
from jaxtyping import Float

from anyview.objectives.spectrum import eigenvalues, rankme


def spectrum(vectors: Float[np.ndarray, "n dim"]) -> tuple[Float[np.ndarray, " k"], float]:
    """Singular values, largest first, as shares of the largest (k = min(n, dim)), and the effective rank.

    Both of the vectors as they are, neither centred nor scaled, as RankMe has it (arXiv:2210.02885).
    """
    tensor = torch.from_numpy(np.ascontiguousarray(vectors))
    values = eigenvalues(tensor).sqrt().numpy()
    return values / max(float(values[0]), 1e-300), float(rankme(tensor))


def flat_map(
    vectors: Float[np.ndarray, "n dim"], seed: int = 0, *, umap: bool = False
) -> tuple[Float[np.ndarray, "n 2"], str]:
    """Two coordinates a sample, and how they were made: PCA to 50 dimensions, then t-SNE, or with ``umap`` UMAP
    (McInnes et al., arXiv:1802.03426; umap-learn, of the extra ``explore``), which keeps up with many samples.

    Vectors are taken at unit length, as neighbours are compared by angle. With few samples, or when all
    vectors are nearly one, either would draw structure that is not there: then PCA alone.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    unit = vectors.astype(np.float64)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    n, dim = unit.shape
    if unit.std(axis=0).max() < 1e-9:  # one point: there are no directions to find
        return np.zeros((n, 2)), "all vectors are one point"
    reduced = PCA(min(n, dim, 50), svd_solver="full", random_state=seed).fit_transform(unit)
    if n < 30 or reduced.shape[1] < 3 or reduced.std(axis=0).max() < 1e-4:
        flat = np.zeros((n, 2))
        flat[:, : min(2, reduced.shape[1])] = reduced[:, :2]
        return flat, "first two principal components"
    if umap:
        return _umap(reduced, seed), f"PCA to {reduced.shape[1]} dimensions, then UMAP"
    perplexity = min(30.0, (n - 1) / 3)
    flat = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, random_state=seed).fit_transform(reduced)
    return flat.astype(np.float64), f"PCA to {reduced.shape[1]} dimensions, then t-SNE"


def _umap(reduced: Float[np.ndarray, "n k"], seed: int) -> Float[np.ndarray, "n 2"]:
    import warnings

    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed means one thread
        return (
            UMAP(n_neighbors=min(15, len(reduced) - 1), random_state=seed)
            .fit_transform(reduced)
            .astype(float)
        )
