"""A run from plan to encoder: the folder, the trainer, what is kept, and resuming."""

import atexit
import copy
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from anyview.data.loader import Loader
from anyview.errors import InputError, Interrupted, RunError
from anyview.files import sweep, write_json, write_text, write_yaml
from anyview.training.artifacts import write_embedding, write_samples
from anyview.training.callbacks import Checkpoints, Ending, Metrics, Relabel
from anyview.training.checkpoint import PlainFile, checkpoint_to_resume, last_checkpoint, read
from anyview.training.gather import launched, leave
from anyview.training.health import Health
from anyview.training.lock import only_one
from anyview.training.memory import keep_freed_memory
from anyview.training.model import Model
from anyview.training.module import Pretraining
from anyview.training.plan import Plan
from anyview.training.precision import channels_last
from anyview.training.profile import FILE, Profile
from anyview.training.progress import Progress
from anyview.training.sharding import Gathered, Sharded
from anyview.training.signals import Signals


class Collapsed(RunError):
    """The run was told to stop when it collapses, and did; its encoder is there."""


def train(
    plan: Plan,
    run: Path,
    *,
    console: Console | None = None,
    resume: bool = False,
    beside: Sequence[pl.Callback] = (),
) -> Model:
    """Trains to the end of the budget and returns the encoder, which then also lies in ``run/encoder``.

    Args:
        plan: from ``make_plan`` or ``plan_from_config``.
        run: an empty folder, or one with a checkpoint when ``resume``.
        console: where progress is shown; None is silent.
        beside: what else happens around the steps.

    Raises:
        RunError: when numbers go bad, the disk is full, or the run collapsed and was told to stop then.
        InputError: when another process is at it, or its checkpoints cannot be used.
        Interrupted: after SIGINT, SIGTERM or SIGUSR1; everything is saved.
    """
    first = launched(plan.training.devices)[0] == 0
    console = console if console is not None and first else Console(quiet=True)
    signals = Signals()
    try:
        with only_one(run) if first else nullcontext(), signals:
            if first and not resume:
                if (run / "config.yaml").exists():  # somebody was quicker
                    raise InputError(f"{run} holds a run already; name another folder with --out")
                _write_head(plan, run)
            elif first:
                sweep(run)
            return _train(plan, run, console, signals, resume, beside)
    except (KeyboardInterrupt, SystemExit) as error:  # Lightning makes the one into the other
        raise Interrupted(run, _saved_step(run)) from error
    except OSError as error:
        raise RunError(_cannot_write(run, plan, error)) from error
    except Collapsed:
        raise
    except RunError as error:
        good = f" Last good checkpoint: step {step:,}." if (step := _saved_step(run)) is not None else ""
        raise RunError(f"{error}.{good} Continue with: anyview resume {run}") from error


def finish(
    plan: Plan,
    run: Path,
    *,
    console: Console | None = None,
    beside: Callable[[], Sequence[pl.Callback]] = tuple,
) -> Model:
    """The encoder of a run folder: loaded where it is complete, else trained on from where it was.

    Args:
        beside: asked only where something is trained.

    Raises:
        RunError, InputError, Interrupted: as ``train``.
    """
    if (run / "encoder" / "config.json").is_file():
        return Model.load(run)
    begun = (run / "config.yaml").is_file()
    if run.exists() and not begun:
        shutil.rmtree(run)  # stopped before its first file was whole
    run.mkdir(parents=True, exist_ok=True)
    return train(plan, run, console=console, resume=begun, beside=beside())


def _train(
    plan: Plan, run: Path, console: Console, signals: Signals, resume: bool, beside: Sequence[pl.Callback]
) -> Model:
    """What ``train`` does while it holds the folder."""
    rank, processes = launched(plan.training.devices)
    if processes > 1:
        atexit.register(leave)
    checkpoint, start_step = checkpoint_to_resume(plan, run) if resume else (None, 0)
    if rank == 0:
        (run / "checkpoints").mkdir(exist_ok=True)

    training = plan.training
    sharded = training.shard and processes > 1
    method = copy.deepcopy(plan.method) if sharded else plan.method  # blocks that are shared out stay so
    if plan.device.type == "cpu":
        keep_freed_memory()
    channels_last(method.to(plan.device)).train()  # one who looked at its encoder may have left it in eval
    loader = Loader(
        plan.source,
        plan.batch_size,
        seed=plan.seed,
        rank=rank,
        world_size=processes,
        start_step=start_step,
        workers=training.workers,
        pin=plan.device.type == "cuda",
    )
    health = Health.hold(method, plan.source, plan.device, plan.seed) if training.health else None
    module = Pretraining(
        method,
        plan.optimizer,
        plan.budget(),
        batch_size=plan.batch_size,
        seed=plan.seed,
        cache_chunk=training.cache_chunk,
        log_steps=training.log_steps,
        skip_bad=training.on_bad == "skip",
        inputs=lambda x: plan.modality.inputs(x, plan.spec),
        where=plan.source.where,
    )
    checkpoints = Checkpoints(run / "checkpoints", training.checkpoint_minutes, training.checkpoint_steps)
    relabel = Relabel(plan.source, lambda x: plan.modality.inputs(x, plan.spec), loader.steps_per_epoch)
    metrics = Metrics(run / "metrics.csv", loader, health, training.stop_on_collapse)
    ending = Ending(checkpoints, metrics, signals)
    shown = Progress(console, metrics, plan.modality.unit)
    timed = [Profile(run / FILE, method, loader, metrics, checkpoints)] if training.profile else []
    gathered = [Gathered(plan.method)] if sharded else []
    trainer = _trainer(plan, run, [relabel, metrics, *beside, checkpoints, ending, *gathered, shown, *timed])
    try:
        trainer.fit(module, loader, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
    finally:
        loader.close()
    if signals.asked is not None:
        raise Interrupted(run, trainer.global_step)

    plan.method.cpu().eval()
    model = Model(plan.method.encoder, plan.modality, plan.spec, run)
    if trainer.is_global_zero:
        write_samples(run, plan)
        write_embedding(run, model, plan.source)
        model.save(run / "encoder")
    if metrics.stop:
        raise Collapsed(f"stopped: {metrics.warning}. The encoder of that moment is in {run}/encoder")
    return model


def _saved_step(run: Path) -> int | None:
    """Where a resumed run would go on; None when that is the beginning."""
    kept = last_checkpoint(run)
    return read(kept)["global_step"] if kept else None


def _cannot_write(run: Path, plan: Plan, error: OSError) -> str:
    """Why a run could not go on for its folder's sake, what it needs, and what is safe."""
    if error.filename and not Path(error.filename).resolve().is_relative_to(run.resolve()):
        return f"{error.filename} could not be used ({error.strerror}). Mend that, then: anyview resume {run}"
    if not run.is_dir():
        return f"{run} is gone ({error.strerror}); is the disk still there? Then: anyview resume {run}"
    kept = last_checkpoint(run)
    need = sum(3 * p.nbytes for p in plan.method.parameters()) if kept is None else kept.stat().st_size
    free = shutil.disk_usage(run).free
    saved = (
        "no checkpoint yet" if kept is None else f"last good checkpoint: step {read(kept)['global_step']:,}"
    )
    return (
        f"{run} could not be written ({error.strerror or error}): {free / 1e6:,.1f} MB are free and a checkpoint takes "
        f"{need / 1e6:,.1f} MB; {saved}. Make room, then: anyview resume {run}"
    )


def _write_head(plan: Plan, run: Path) -> None:
    """What is known before the first step: the configuration, the data, what was left out."""
    dataset = plan.dataset
    write_json(
        run / "data.json",
        {
            "name": dataset.name,
            "modality": dataset.modality,
            "unit": plan.modality.unit,
            "raw_name": plan.modality.raw_name,
            "description": plan.modality.describe(dataset.spec),
            "facts": dataset.describe(),
            "label_names": dataset.label_names,
            "skipped": len(dataset.skipped),
            "spec": dataset.spec,
        },
    )
    if dataset.skipped:
        dataset.write_skipped(run / "skipped.csv")
    write_yaml(run / "config.yaml", plan.config)
    write_text(run / ".gitignore", "*\n")


def _trainer(plan: Plan, run: Path, callbacks: list[pl.Callback]) -> pl.Trainer:
    for library in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(library).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=library)
    # of kernels for one channel, whose layouts are many names of one
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    logger: Any = False
    if plan.training.tensorboard:
        try:
            from pytorch_lightning.loggers import TensorBoardLogger

            logger = TensorBoardLogger(run, name="tensorboard", version="")
        except ImportError as error:
            raise InputError('TensorBoard is not installed; pip install "anyview[tensorboard]"') from error
    _, processes = launched(plan.training.devices)
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", plan.training.devices))
    many = processes > 1
    strategy: Any = "ddp_find_unused_parameters_true" if many else "auto"
    if many and plan.training.shard:
        strategy = Sharded(processes)
    return pl.Trainer(
        accelerator={"cuda": "gpu"}.get(plan.device.type, plan.device.type),
        devices=devices,
        num_nodes=processes // devices,
        strategy=strategy,
        sync_batchnorm=many and plan.device.type == "cuda",
        precision="bf16-mixed" if plan.training.precision == "bf16" else "32-true",
        max_epochs=-1,
        min_epochs=0,
        logger=logger,
        callbacks=callbacks,
        default_root_dir=run,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        log_every_n_steps=plan.training.log_steps,
        benchmark=plan.device.type == "cuda",
        plugins=[PlainFile()],
    )
