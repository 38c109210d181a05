"""What a user may set of the loop and the optimiser; each option is declared here and nowhere else."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from anyview.errors import InputError


def check_range(options: Any, ranges: dict[str, tuple[float, float]]) -> None:
    """Raises InputError for an option outside its range, bounds included; None is left to the defaults."""
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if value is not None and not (low <= value <= high and math.isfinite(value)):
            wanted = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
            raise InputError(f"{name} is {value:g}; it can be {wanted}")


@dataclass(frozen=True)
class OptimizerOptions:
    """How weights move.

    Args:
        name: adamw for small and medium batches, lars for batches of thousands, sgd with Nesterov momentum.
        lr: peak learning rate at a batch of 256; it scales with the square root of the batch for adamw and
            linearly for sgd and lars. None takes 2e-3, 0.06 or 0.3.
        weight_decay: never on norms and biases. None takes 0.05 for adamw, 1e-4 for sgd, 1e-6 for lars.
        momentum: of sgd and lars.
        warmup: share of the schedule in which the rate rises from zero; a cosine to zero follows.
        clip: largest gradient norm; 0 leaves gradients as they are.
    """

    name: Literal["adamw", "sgd", "lars"] = "adamw"
    lr: float | None = None
    weight_decay: float | None = None
    momentum: float = 0.9
    warmup: float = 0.05
    clip: float = 0.0

    def __post_init__(self) -> None:
        above, share = (0.0, math.inf), (0.0, 1.0)
        check_range(
            self, {"lr": above, "weight_decay": above, "clip": above, "momentum": share, "warmup": share}
        )


@dataclass(frozen=True)
class TrainingOptions:
    """How long, how much at once, and on what.

    Args:
        epochs: passes over the data; None without minutes takes as many as make about 20,000 steps, at most 200.
        minutes: wall-clock budget instead of epochs; the schedule ends with it.
        batch_size: samples a step over all processes; None scales with the data up to 256.
        device: cpu, cuda or mps; auto takes the quickest there is.
        devices: processes on this machine, one a device.
        shard: share the weights, gradients and optimiser state of repeated blocks out among the processes (FSDP), for
            networks too large to be held whole; one process alone has nothing to share.
        precision: auto is bf16 where the processor has the instructions for it, else fp32.
        cache_chunk: run networks on this many samples at a time and the loss on all (gradient cache), which
            gives large batches in little memory; 0 is off.
        workers: processes that decode data too large for memory; None is up to four.
        checkpoint_minutes: time between checkpoints.
        checkpoint_steps: steps between checkpoints instead, 0 for none.
        log_steps: steps between rows of metrics.csv.
        health: watch effective rank and its kin while training.
        stop_on_collapse: end the run when the representation has collapsed.
        on_bad: what to do about a step whose loss or gradient is NaN or infinite: stop the run, or skip the step,
            which leaves weights and statistics as they were.
        tensorboard: also write TensorBoard event files.
        profile: time the parts of every step, and write where the time went to profile.json.
    """

    epochs: int | None = None
    minutes: float | None = None
    batch_size: int | None = None
    device: str = "auto"
    devices: int = 1
    shard: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    cache_chunk: int = 0
    workers: int | None = None
    checkpoint_minutes: float = 1.0
    checkpoint_steps: int = 0
    log_steps: int = 10
    health: bool = True
    stop_on_collapse: bool = False
    on_bad: Literal["stop", "skip"] = "stop"
    tensorboard: bool = False
    profile: bool = False

    def __post_init__(self) -> None:
        some, none = (1.0, math.inf), (0.0, math.inf)
        check_range(self, {"devices": some, "log_steps": some, "cache_chunk": none, "workers": none})
        check_range(self, {"checkpoint_minutes": none, "checkpoint_steps": none})
