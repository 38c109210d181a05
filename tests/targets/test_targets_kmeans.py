"""k-means against scikit-learn from the same start, and labels of a dataset."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans

from anyview.errors import InputError
from anyview.targets import kmeans as module
from anyview.targets.kmeans import kmeans, nearest
from anyview.targets.labels import Labels, scaled_clusters


def blobs(count=5, each=30, spread=0.1):
    g = torch.Generator().manual_seed(4)
    centre = 3 * torch.randn(count, 1, 3, dtype=torch.float64, generator=g)
    noise = torch.randn(count, each, 3, dtype=torch.float64, generator=g)
    return (centre + spread * noise).flatten(0, 1)


def test_it_is_lloyds_algorithm():
    x = blobs(spread=1.5)
    torch.manual_seed(3)
    start = x[torch.randperm(len(x))[:6]]
    torch.manual_seed(3)
    centroids, label = kmeans(x, 6, iterations=300)
    reference = KMeans(6, init=start.numpy(), n_init=1, max_iter=300, tol=0, algorithm="lloyd").fit(x.numpy())
    np.testing.assert_allclose(centroids.numpy(), reference.cluster_centers_, atol=1e-9)
    assert label.tolist() == reference.labels_.tolist()


def test_the_same_seed_gives_the_same_and_labels_follow_from_centroids(monkeypatch):
    x = blobs(spread=1.5).float()
    found = []
    for block in (2**22, 40):
        monkeypatch.setattr(module, "BLOCK", block)
        torch.manual_seed(1)
        centroids, label = kmeans(x, 7, iterations=4)  # before it has settled
        assert torch.equal(nearest(x, centroids), label)
        found.append(label)
    assert torch.equal(*found)


def test_no_cluster_stays_empty():
    x = torch.cat([torch.zeros(50, 2), blobs(4, 3)[:, :2].float() + 20])  # a start among equal points
    for seed in range(5):
        torch.manual_seed(seed)
        _, label = kmeans(x, 5, iterations=30)
        assert len(label.unique()) == 5


def test_spherical_compares_directions():
    x = blobs() * torch.linspace(0.1, 10, 150, dtype=torch.float64)[:, None]
    torch.manual_seed(0)
    centroids, label = kmeans(x, 5, spherical=True)
    torch.testing.assert_close(centroids.norm(dim=1), torch.ones(5, dtype=torch.float64))
    assert torch.equal(label, (F.normalize(x, dim=1) @ centroids.T).argmax(1))
    torch.manual_seed(0)
    assert torch.equal(kmeans(F.normalize(x, dim=1), 5, spherical=True)[1], label)


def test_as_many_clusters_as_samples_tells_each_apart_and_one_tells_nothing():
    x = blobs(3, 4)
    assert kmeans(x, 12)[1].unique().tolist() == list(range(12))
    centroids, label = kmeans(x, 1)
    assert label.tolist() == [0] * 12
    torch.testing.assert_close(centroids[0], x.mean(0))


def test_labels_go_by_the_place_of_a_sample():
    labels = Labels(10, 3, 2)
    assert (labels.value[0].bincount() - 10 / 3).abs().max() < 1  # balanced from the start
    new = torch.arange(10) % 3
    labels.assign(1, new)
    index = torch.tensor([7, 2, 2])
    assert labels(index)[:, 1].tolist() == new[index].tolist()
    assert labels(index)[:, 0].tolist() == labels.value[0, index].tolist()
    assert set(labels.state_dict()) == {"value"}


def test_clusters_grow_with_the_root_of_the_samples():
    assert scaled_clusters(1_281_167, 3000) == 3000
    assert scaled_clusters(10**9, 3000) == 3000
    assert scaled_clusters(1_281_167 // 4, 3000) == 1500
    assert scaled_clusters(3, 3000) == 2
    assert scaled_clusters(300, 3000) == 30


def test_bad_input():
    for count in (0, 13):
        with pytest.raises(InputError, match="1 to 12"):
            kmeans(blobs(3, 4), count)
    with pytest.raises(InputError, match="give samples"):
        Labels(None, 3)
    with pytest.raises(InputError, match="1 to 4 clusters"):
        Labels(4, 5)
