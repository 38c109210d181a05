"""The few public functions: pretrain, resume, load, embed, evaluate, health, explore, compare, suite.

Lightning takes seconds to import; only what trains waits for it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from anyview.errors import InputError, RunError, printable
from anyview.evaluation.contest import Contest, begin, make_contest, run_contest
from anyview.evaluation.health import Condition
from anyview.evaluation.health import health as _health
from anyview.evaluation.kept import claim, first_free
from anyview.evaluation.result import Result
from anyview.evaluation.run import evaluate as _evaluate
from anyview.evaluation.standing import Standing, standing
from anyview.evaluation.suites import suite_named
from anyview.evaluation.suites.run import check, entrant, run_suite, settings
from anyview.evaluation.suites.score import Score
from anyview.evaluation.verdict import verdict
from anyview.files import parse_json, write_json, write_text
from anyview.modalities import modality as modality_of
from anyview.report.atlas import make_page
from anyview.report.comparison import write_comparison
from anyview.report.html import write_report
from anyview.report.serve import Server
from anyview.training.elsewhere import from_elsewhere, named
from anyview.training.folder import new_run_folder, read_config, read_spec, slug
from anyview.training.model import Model
from anyview.training.plan import make_plan, method_class, plan_from_config

Encodes = Model | str | Path | Callable[..., Any]  #: a model, or what ``load`` takes


def pretrain(
    method: str,
    data: Any,
    *,
    encoder: str | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    batch_size: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    modality: str | None = None,
    label: str | None = None,
    size: int | None = None,
    quiet: bool = False,
    **options: Any,
) -> Model:
    """Pretrains an encoder on unlabelled data.

    >>> model = pretrain("simclr", "digits", epochs=1, quiet=True)  # doctest: +SKIP
    >>> model.embed("digits", split="test").shape  # doctest: +SKIP
    (360, 96)

    Args:
        method: name of a system of kind method, see ``anyview.systems``.
        data: a path, a named dataset, an array, a Hugging Face dataset or a torch dataset.
        encoder: name of the network; None lets the modality choose by size of data and machine.
        epochs: passes over the data; or
        minutes: wall-clock budget.
        batch_size: samples a step.
        out: run folder; None makes ``runs/METHOD-DATA``.
        seed: of weights, order, views and masks.
        modality: of the data; None recognises it.
        label: column with labels; they are kept for evaluation and never seen by pretraining.
        size: side in pixels (images) at which data is read.
        quiet: print nothing.
        **options: any option of the method, its views, the optimiser or the loop: ``temperature=0.2``, or
            with its section and two underscores: ``optimizer__momentum=0.95``.

    Raises:
        InputError: for anything that cannot work, before anything is written.
    """
    from anyview.training.run import train

    named = {k.replace("__", "."): v for k, v in options.items()}
    given = {"epochs": epochs, "minutes": minutes, "batch_size": batch_size}
    named |= {f"training.{k}": v for k, v in given.items() if v is not None}
    plan = make_plan(
        method,
        data,
        options=named,
        encoder=encoder,
        seed=seed,
        modality_name=modality,
        label=label,
        size=size,
    )
    console = Console(quiet=quiet)
    for head, text in plan.lines():
        console.print(f"{head:<9} {printable(text)}", highlight=False, soft_wrap=True, markup=False)
    run = new_run_folder(out, method, plan.dataset.name)
    model = train(plan, run, console=console)
    write_report(run)
    return model


def resume(run: str | Path, data: Any = None, *, console: Console | None = None) -> Model:
    """Goes on with a run from its last checkpoint; one that is complete is only loaded.

    Args:
        run: its folder.
        data: needed when it was started on data in memory.
    """
    run = Path(run)
    config = read_config(run)
    if (run / "encoder" / "config.json").is_file():
        if not (run / "report.html").is_file():
            write_report(run)
        return Model.load(run)
    from anyview.training.run import train

    model = train(plan_from_config(config, data, read_spec(run)), run, console=console, resume=True)
    write_report(run)
    return model


def load(
    path: str | Path | Callable[..., Any],
    data: Any = None,
    *,
    weights: str | None = None,
    size: int | None = None,
    normalise: str | None = None,
    id: str | None = None,
    seed: int = 0,
) -> Model:
    """Loads the encoder of a run folder, or a folder that ``model.save`` wrote; or one that was made elsewhere.

    Args:
        path: a folder; or ``timm:resnet18``; ``hf:FOLDER`` for what transformers saved, ``st:FOLDER`` (or an installed
            package) for sentence-transformers; a file of TorchScript (``.pt``) or ONNX; vectors in a ``.parquet`` or
            ``.npy`` file; or a function.
        data: of encoders made elsewhere: what they are to read, where they do not say it themselves.
        weights: of encoders that come without: a safetensors file, ``published`` (a download) or ``random``.
        size: of those: side in pixels at which images are read.
        normalise: of files and functions: how pixels are given to them, ``imagenet``, ``half``, ``none`` or ``data``.
        id: of vectors: the column that they and the data have, by which they are joined; None takes the order.
        seed: of random weights.

    Raises:
        InputError: when there is no encoder, or it does not fit its configuration, weights or data.
    """
    if named(path):
        options = {"weights": weights, "size": size, "normalise": normalise, "id": id}
        return from_elsewhere(path, data, seed=seed, **options)
    if any(option is not None for option in (weights, size, normalise, id)):
        raise InputError(
            f"{path} has its weights and size in its folder; leave out weights, size, normalise and id"
        )
    assert not callable(path)  # which is named
    if not Path(path).exists():
        raise InputError(
            f"no run folder {path}; give a folder with an encoder, or one of another library, such as timm:resnet18"
        )
    return Model.load(path)


def embed(model: Encodes, data: Any, *, split: str | None = None, **options: Any) -> np.ndarray:
    """Embeddings of all samples in order, float32 ``(samples, dim)``; see ``Model.embed``, and ``load`` for what may be
    named in place of a model."""
    return _model(model, data).embed(data, split=split, **options)


def evaluate(
    model: Encodes,
    train: Any,
    test: Any = None,
    *,
    protocols: Sequence[str] | None = None,
    label: str | None = None,
    groups: str | None = None,
    supervised: bool = False,
    seed: int = 0,
) -> list[Result]:
    """Judges an encoder beside the same encoder untrained and the raw features.

    Fits on train, chooses on validation, reads test once; see ``anyview.evaluation.run.evaluate``.
    """
    return _evaluate(
        _model(model, train),
        train,
        test,
        protocols=protocols,
        label=label,
        groups=groups,
        supervised=supervised,
        seed=seed,
    )


def health(model: Encodes, data: Any, *, split: str | None = None, seed: int = 0) -> Condition:
    """Whether an encoder has collapsed, by its embeddings of some data, without labels; see
    ``anyview.evaluation.health.health``."""
    return _health(_model(model, data), data, split=split, seed=seed)


def explore(
    model: Encodes, data: Any, *, split: str | None = None, samples: int = 5000, seed: int = 0, port: int = 0
) -> Server:
    """A page on this machine that shows embeddings: a map, neighbours, clusters, and what each sample is.

    >>> with explore("runs/digits", "digits") as server:  # doctest: +SKIP
    ...     print(server.url)
    ...     server.serve_forever()

    Args:
        model: an encoder, or what ``load`` takes.
        data: what to show, labelled or not; all splits on one map, or ``split``.
        samples: shown at most, drawn at random by ``seed``, as the map is.
        port: of the server; 0 takes any that is free.

    Raises:
        InputError: when embedding-atlas is not installed, the data cannot be read or is too little for a map, or the
            port is taken.
    """
    one = _model(model, data)
    dataset = one.open_all(data)
    sources = {split: dataset.split(split)} if split else dataset.splits
    return Server(make_page(one, sources, samples, seed), port)


def compare(
    data: Any,
    *,
    methods: Sequence[str],
    minutes: float | None = None,
    epochs: int | None = None,
    seeds: int = 3,
    encoder: str | None = None,
    protocols: Sequence[str] | None = None,
    out: str | Path | None = None,
    modality: str | None = None,
    label: str | None = None,
    size: int | None = None,
    quiet: bool = False,
    **options: Any,
) -> Standing:
    """Pretrains several methods alike and says which one, how sure, and at what cost.

    All have the same data, splits, encoder, budget and protocols. What is done is kept in the folder, so the same
    call goes on after an interruption; methods and seeds may be added.

    Args:
        data: labelled data, or pairs; see ``anyview.open``. Without a test split a fifth is held out first.
        methods: names of systems of kind method.
        minutes: wall-clock time of each run; or
        epochs: passes of each run over the samples.
        seeds: runs of each method.
        encoder: of all methods; None takes the modality's default.
        protocols: see ``evaluate``; ``linear``, else the first one, decides.
        out: folder; None makes ``runs/compare-DATA``.
        quiet: print nothing.
        **options: of all methods (``batch_size=64``), or of one: ``simclr__temperature=0.2``.

    Raises:
        InputError: for anything that cannot work, before anything is written.
    """
    contest = make_contest(
        data,
        methods,
        seeds=seeds,
        minutes=minutes,
        epochs=epochs,
        encoder=encoder,
        protocols=protocols,
        modality_name=modality,
        label=label,
        size=size,
        options={k.replace("__", "."): v for k, v in options.items()},
    )
    return run_comparison(contest, contest_folder(contest, out), console=Console(quiet=quiet))


def contest_folder(contest: Contest, out: str | Path | None = None) -> Path:
    """``out``, or the first of ``runs/compare-DATA``, ``-2``, ... that is free or holds this very comparison."""
    if out is not None:
        begin(contest, Path(out))
        return Path(out)
    return first_free(Path("runs") / f"compare-{slug(contest.dataset.name)}", lambda f: begin(contest, f))


def run_comparison(contest: Contest, folder: Path, *, console: Console, command: str = "") -> Standing:
    """Trains and judges what is missing; ``compare.json`` and ``compare.html`` are made anew after every run.

    Raises:
        RunError: when every run failed.
    """

    def keep() -> Standing | None:
        table = standing(folder, contest.methods, contest.seeds)
        if table is not None:
            write_json(folder / "compare.json", table.record())
            write_comparison(table)
        return table

    def say(text: str) -> None:
        console.print(printable(text), highlight=False, soft_wrap=True, markup=False)

    raw_name = modality_of(contest.dataset.modality).raw_name
    for run, results in run_contest(contest, folder, console=console, say=say, command=command):
        keep_evaluation(run, results, verdict(results, read_health(run), raw_name=raw_name))
        keep()
    table = keep()
    if table is None:
        raise RunError(f"every run failed; the reasons stand in {folder}/*/seed-*/failed.txt")
    return table


def suite(
    name: str,
    encoder: Model | str | Path,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    weights: str | None = None,
    size: int | None = None,
    normalise: str | None = None,
    seeds: int = 1,
    protocol: str | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
    command: str = "",
) -> Score:
    """Judges an encoder on all tasks of a suite, beside the same encoder untrained and raw features.

    Every task that is done is kept in the folder, so the same call goes on after an interruption.

    Args:
        name: of ``anyview.evaluation.suites``: visual, sentences, speech, series, graphs or tables.
        encoder: as for ``load``; where the suite pretrains an encoder a set (series, graphs, tables) also the name of
            a method.
        epochs: passes of such a method over each set; or
        minutes: wall-clock time of each of its runs.
        weights, size, normalise: of encoders made elsewhere, as for ``load``.
        seeds: of drawn labels, untrained encoders and pretraining.
        protocol: for tasks of classes, in place of ``linear``.
        out: folder; None makes ``runs/suite-NAME-ENCODER``.
        command: what goes on after an interruption, for its message.

    Raises:
        InputError: for anything that cannot work, such as an encoder of another modality.
    """
    whole, console = suite_named(name), Console(quiet=quiet)
    check(whole, seeds, protocol)
    called = encoder.encoder.config["name"] if isinstance(encoder, Model) else str(encoder)
    taken: Model | str = str(encoder)
    if isinstance(encoder, Model):
        taken = encoder
    elif not whole.learns or named(encoder) or Path(encoder).exists():
        data = whole.tasks[0].data if named(encoder) else None
        taken = load(encoder, data, weights=weights, size=size, normalise=normalise)
    else:
        method_class(called)
    taking_part = entrant(whole, taken, called, epochs=epochs, minutes=minutes, console=console)
    same = settings(whole, taking_part, protocol)

    def begin_suite(folder: Path) -> None:
        claim(folder, same, "suite_settings.json", "suite")

    if out is None:
        folder = first_free(Path("runs") / f"suite-{name}-{slug(called)}", begin_suite)
    else:
        begin_suite(folder := Path(out))

    def say(text: str) -> None:
        console.print(printable(text), highlight=False, soft_wrap=True, markup=False)

    return run_suite(whole, taking_part, folder, seeds=seeds, protocol=protocol, say=say, command=command)


def keep_evaluation(run: Path, results: Sequence[Result], said: str) -> Path:
    """Writes ``evaluation.json`` and ``verdict.txt`` into a run and makes its report again."""
    write_json(run / "evaluation.json", [r.record() for r in results])
    write_text(run / "verdict.txt", said + "\n")
    return write_report(run)


def read_health(run: Path | None) -> dict[str, Any] | None:
    """``health.json`` of a run, or None."""
    path = run / "health.json" if run else None
    if path is None or not path.is_file():
        return None
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is broken ({error}); delete it to go on without") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is broken; delete it to go on without")
    return found


def _model(model: Encodes, data: Any) -> Model:
    return model if isinstance(model, Model) else load(model, data)
