"""Running statistics of batch norms, left as they are or taken anew."""

import pytest
import torch
from torch import nn

from anyview.encoders.batch_norm import batch_norms, counted_anew, uncounted


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.BatchNorm1d(4)).train()


def statistics(net: nn.Module) -> list[torch.Tensor]:
    return [x.clone() for norm in batch_norms(net) for x in (norm.running_mean, norm.running_var)]


def test_an_uncounted_pass_normalises_by_its_batch_and_leaves_the_statistics():
    net, x = network(), torch.randn(16, 3)
    before = statistics(net)
    with uncounted(net):
        y = net(x)
    torch.testing.assert_close(statistics(net), before, rtol=0, atol=0)
    torch.testing.assert_close(y, net(x), rtol=0, atol=0)  # as a counted one does
    assert not torch.equal(statistics(net)[0], before[0])


def test_statistics_taken_anew_are_the_mean_over_the_passes():
    net, parts = network(), torch.randn(5, 16, 3)
    net(1000 + parts[0])  # forgotten
    with counted_anew(net):
        for part in parts:
            net(part)
    seen = torch.stack([net[0](part) for part in parts])
    torch.testing.assert_close(statistics(net)[0], seen.mean((0, 1)))
    torch.testing.assert_close(statistics(net)[1], seen.var(1).mean(0))


@pytest.mark.parametrize("held", [uncounted, counted_anew])
def test_norms_are_as_they_were_after_a_pass_that_fails(held):
    net = network()
    net[3].momentum = 0.3
    with pytest.raises(RuntimeError), held(net):
        net(torch.randn(16, 7))
    assert [(norm.momentum, norm.track_running_stats) for norm in batch_norms(net)] == [
        (0.1, True),
        (0.3, True),
    ]
