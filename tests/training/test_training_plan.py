"""A plan: everything resolved and checked before the first byte is written."""

import numpy as np
import pytest
import torch
import yaml

from anyview.errors import InputError
from anyview.training.plan import make_plan, plan_from_config


def pixels(n: int = 40, side: int = 8) -> torch.Tensor:
    return torch.randint(
        0, 256, (n, 1, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        ("smclr", {}, 'no method "smclr"; did you mean "simclr"?'),
        ("simclr", {"encoder": "convnet-x"}, 'no encoder "convnet-x"; did you mean "convnet-'),
        (
            "simclr",
            {"options": {"encoder.widht": 3}},
            'no option "widht" for encoder convnet-s; did you mean "width"?',
        ),
        ("simclr", {"options": {"epochs": 3, "minutes": 1.0}}, "epochs or minutes, not both"),
        ("simclr", {"options": {"epochs": 0}}, "at least one epoch"),
        ("simclr", {"options": {"epochs": -2}}, "at least one epoch"),
        ("simclr", {"options": {"minutes": 0}}, "some minutes"),
        ("simclr", {"options": {"minutes": -1.0}}, "some minutes"),
        ("simclr", {"options": {"batch_size": 1}}, "nothing to compare"),
        ("simclr", {"options": {"batch_size": 9, "devices": 2}}, "9 does not divide among 2 processes"),
        ("simclr", {"options": {"device": "quantum"}}, 'no device "quantum"'),
        ("simclr", {"modality_name": "imge"}, 'no modality "imge"; did you mean "image"?'),
        ("mae", {"encoder": "resnet18"}, "try --encoder transformer-nano"),
    ],
)
def test_what_cannot_work_is_one_line(method: str, options: dict, says: str) -> None:
    with pytest.raises(InputError) as caught:
        make_plan(method, pixels(), **options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_here(device: str) -> None:
    if {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[device]:
        pytest.skip(f"this machine has {device}")
    with pytest.raises(InputError, match=f'no device "{device}" on this machine'):
        make_plan("simclr", pixels(), options={"device": device})


def test_one_image_is_too_few() -> None:
    with pytest.raises(InputError, match="two or more"):
        make_plan("simclr", pixels(1))


def test_nan_is_found_before_training() -> None:
    x = np.random.default_rng(0).random((6, 8, 8)).astype(np.float32)
    x[4, 2, 2] = np.nan
    with pytest.raises(InputError, match=r"sample 4 .* NaN"):
        make_plan("simclr", x)


def test_what_the_user_leaves_open_follows_from_the_data() -> None:
    plan = make_plan("simclr", pixels(40))
    assert plan.batch_size == 32
    assert plan.training.epochs == 200
    assert plan.training.minutes is None
    assert plan.config["encoder"] == {"name": "convnet-s", "input": {"modality": "image", "shape": [1, 8, 8]}}
    assert plan.config["training"]["device"] in ("cpu", "cuda", "mps")
    assert plan.config["training"]["precision"] in ("fp32", "bf16")
    assert plan.budget().steps == 200 * (40 // 32)


def test_minutes_leave_the_steps_open() -> None:
    plan = make_plan("simclr", pixels(), options={"minutes": 2.5})
    assert plan.training.epochs is None
    assert plan.budget().steps is None
    assert plan.budget().minutes == 2.5


def test_a_batch_is_never_larger_than_the_data() -> None:
    assert make_plan("simclr", pixels(10), options={"batch_size": 64}).batch_size == 10


def test_view_defaults_of_the_paper_hold_unless_given() -> None:
    assert make_plan("byol", pixels()).config["views"]["asymmetric"] is True
    assert make_plan("simclr", pixels()).config["views"]["asymmetric"] is False
    for name in ("asymmetric", "views.asymmetric"):
        assert make_plan("byol", pixels(), options={name: False}).config["views"]["asymmetric"] is False


def test_view_options_reach_the_views() -> None:
    plan = make_plan("simclr", pixels(), options={"size": 6, "flip": 0.0})
    views = plan.method.views(plan.dataset.train.fetch(torch.arange(4)))
    assert [tuple(v.x.shape) for v in views] == [(4, 1, 6, 6)] * 2
    assert plan.spec["shape"] == [1, 6, 6]
    assert not torch.cat([v.meta["flip"] for v in views]).any()


def test_byol_momentum_scales_with_the_data() -> None:
    few = make_plan("byol", pixels(40)).config["method"]["momentum"]
    many = make_plan("byol", pixels(2000), options={"batch_size": 32}).config["method"]["momentum"]
    assert few == pytest.approx(1 - 1 / 20)  # the memory of small data is 20 steps at least
    assert many == pytest.approx(1 - 1 / 31, abs=1e-4)  # half an epoch of 62 steps
    assert make_plan("byol", pixels(), options={"method.momentum": 0.3}).config["method"]["momentum"] == 0.3
    assert make_plan("byol", pixels(), options={"method.momentum": 0.3}).method.momentum == 0.3


def test_optimiser_momentum_is_another_option_than_the_teachers() -> None:
    plan = make_plan("byol", pixels(), options={"optimizer.momentum": 0.5, "method.momentum": 0.7})
    assert plan.optimizer.momentum == 0.5
    assert plan.method.momentum == 0.7


@pytest.mark.parametrize("method", ["simclr", "byol", "vicreg", "mae"])
def test_a_configuration_repeats_itself(method: str, tmp_path) -> None:
    np.save(tmp_path / "x.npy", pixels().numpy())
    options = {"epochs": 3, "crop_scale": [0.5, 1.0], "optimizer.name": "lars", "batch_size": 16}
    plan = make_plan(method, tmp_path / "x.npy", options=options, seed=7, size=8)
    text = yaml.safe_dump(plan.config)
    again = plan_from_config(yaml.safe_load(text))
    assert again.config == plan.config
    assert again.training == plan.training
    assert again.optimizer == plan.optimizer
    for (name, a), b in zip(plan.method.state_dict().items(), again.method.state_dict().values()):
        assert torch.equal(a, b), name


def test_options_of_the_encoder_are_kept() -> None:
    x = pixels()
    plan = make_plan("simclr", x, options={"encoder.width": 8}, encoder="convnet-s")
    assert plan.config["encoder"] == {
        "name": "convnet-s",
        "input": {"modality": "image", "shape": [1, 8, 8]},
        "width": 8,
    }
    assert plan_from_config(plan.config, x).method.encoder.dim == plan.method.encoder.dim


def test_data_in_memory_must_be_given_again() -> None:
    plan = make_plan("simclr", pixels())
    assert plan.config["data"]["path"] is None
    with pytest.raises(InputError, match="in memory"):
        plan_from_config(plan.config)


def test_the_seed_alone_decides_the_weights() -> None:
    torch.manual_seed(1)
    one = make_plan("simclr", pixels(), seed=3)
    torch.manual_seed(2)
    two, other = make_plan("simclr", pixels(), seed=3), make_plan("simclr", pixels(), seed=4)
    same = [torch.equal(a, b) for a, b in zip(one.method.parameters(), two.method.parameters())]
    differs = [torch.equal(a, b) for a, b in zip(one.method.parameters(), other.method.parameters())]
    assert all(same)
    assert not all(differs)


def test_the_lines_a_person_reads() -> None:
    data = (pixels(), torch.arange(40) % 2)
    lines = dict(make_plan("simclr", data, options={"epochs": 2}).lines())
    assert list(lines) == ["data", "method", "budget"]
    assert "image 1 x 8 x 8" in lines["data"]
    assert "labels hidden from pretraining" in lines["data"]
    assert "convnet-s" in lines["method"]
    assert "2 epochs of 1 step" in lines["budget"]
    assert "3 min" in dict(make_plan("simclr", data, options={"minutes": 3.0}).lines())["budget"]
