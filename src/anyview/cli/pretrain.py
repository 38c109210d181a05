"""``anyview pretrain METHOD DATA``"""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import yaml

from anyview.api import read_health
from anyview.cli.common import Parser, console, say_lines, setting
from anyview.data.named import is_name
from anyview.errors import InputError
from anyview.files import parse_yaml
from anyview.modalities import modality
from anyview.report.html import write_report
from anyview.training.config import flatten, option_parser, parse_text
from anyview.training.folder import new_run_folder
from anyview.training.gather import launched
from anyview.training.plan import Plan, make_plan, method_class, views_factory

SHORT = {
    "epochs": "passes over the data",
    "minutes": "wall-clock budget instead; the schedule ends with it",
    "batch-size": "samples a step (default: scales with the data, at most 256)",
    "device": "cpu, cuda, mps or auto",
    "devices": "processes on this machine, one a device",
    "precision": "fp32, bf16 or auto",
    "cache-chunk": "gradient cache: samples through the networks at a time",
}


def parser() -> Parser:
    p = Parser(
        "pretrain",
        "Pretrain an encoder on unlabelled data. Writes a run folder with encoder, figures and report.",
        epilog="anyview pretrain METHOD --help lists the options of that method.",
        add_help=False,
    )
    p.add_argument(
        "method", nargs="?", help="a pretraining system, such as simclr (anyview systems lists them)"
    )
    p.add_argument("data", nargs="?", help="a folder, a file, an address, or a named dataset")
    p.add_argument("-h", "--help", action="store_true", help="show this, or the options of METHOD")
    p.add_argument("--out", help="run folder (default runs/METHOD-DATA)")
    p.add_argument(
        "--encoder", help="name of the network, such as convnet-s, resnet18, vit-nano, timm:resnet50"
    )
    for name, text in SHORT.items():
        p.add_argument(f"--{name}", help=text)
    p.add_argument("--seed", type=int, help="of weights, order, views and masks (default 0)")
    p.add_argument("--modality", help="kind of data, when it is not to be recognised")
    p.add_argument("--label", help="column with labels, kept for evaluation and hidden from pretraining")
    p.add_argument("--size", type=int, help="side in pixels at which images are read")
    p.add_argument(
        "--stop-on-collapse", action="store_true", help="end the run when the representation collapses"
    )
    p.add_argument("--profile", action="store_true", help="say at the end where the time went")
    p.add_argument("--config", help="YAML file with any of these options; the command line wins")
    p.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any option, such as temperature=0.2"
    )
    p.add_argument("--print-config", action="store_true", help="print the full configuration and stop")
    p.add_argument("--dry-run", action="store_true", help="say what would be done and stop")
    return p


def run(args: list[str]) -> int:
    p = parser()
    found, rest = p.parse_known_args(args)
    if found.help:
        _help(p, found.method, found.modality or "image")
        return 0
    options = _options(p, found, rest)
    if not found.method or not found.data:
        raise InputError(_lacking(found.method))
    plan = make_plan(
        found.method,
        found.data,
        options=options,
        encoder=found.encoder,
        seed=found.seed or 0,
        modality_name=found.modality,
        label=found.label,
        size=found.size,
    )
    out = console()
    if found.print_config:
        print(yaml.safe_dump(plan.config, sort_keys=False, allow_unicode=True), end="")
        return 0
    if launched()[0] == 0:
        say_lines(out, plan.lines())
    if found.dry_run:
        _dry_run(plan)
        return 0
    folder = new_run_folder(found.out, found.method, plan.dataset.name)
    if plan.dataset.skipped:
        say_lines(
            out,
            [
                (
                    "",
                    f"{len(plan.dataset.skipped)} files could not be read and are left out ({folder}/skipped.csv)",
                )
            ],
        )
    from anyview.training.run import train

    train(plan, folder, console=out)
    if launched()[0] == 0:
        finish(folder, found.data)
    return 0


def _lacking(only: str | None) -> str:
    """What to say when of METHOD and DATA there is ``only`` one, or none."""
    if only is None or is_name(only) or Path(only).exists():
        return f"pretrain needs METHOD and DATA, such as: anyview pretrain simclr {only or 'photos/'}"
    method_class(only)  # which says what a wrong name may have been meant for
    return f"pretrain needs DATA, such as: anyview pretrain {only} photos/"


def finish(folder: Path, data: str) -> None:
    """Verdict first, paths next, one sensible command last."""
    report = write_report(folder)
    health = read_health(folder) or {"verdict": "Health was not watched."}
    from anyview.training.profile import in_words, read_profile

    profile = read_profile(folder)
    say_lines(
        console(),
        [
            ("verdict", f"{health['verdict']} Whether it helps is for labels to say."),
            *([("profile", in_words(profile))] if profile else []),
            ("wrote", f"{folder} · open {report}"),
            ("next", shlex.join(["anyview", "evaluate", str(folder), str(data)])),
        ],
    )


def _options(p: Parser, found: argparse.Namespace, rest: list[str]) -> dict[str, Any]:
    """Options from the file, the short flags, ``--set`` and ``--any.option``; later ones win."""
    options: dict[str, Any] = {}
    if found.config:
        options |= _from_file(found)
    for name in SHORT:
        value = getattr(found, name.replace("-", "_"))
        if value is not None:
            options[f"training.{name.replace('-', '_')}"] = parse_text(value)
    for name in ("stop_on_collapse", "profile"):
        if getattr(found, name):
            options[f"training.{name}"] = True
    pairs = list(found.set)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("--"):
            raise InputError(p.unknown_option(flag))
        name, equals, value = flag[2:].partition("=")
        if not equals:
            if not rest:
                raise InputError(f'option "--{name}" has no value')
            value = rest.pop(0)
        pairs.append(f"{name}={value}")
    for pair in pairs:
        name, value = setting(pair)
        if "." not in name:  # what the file says of the same option gives way
            options = {k: v for k, v in options.items() if k.rpartition(".")[2] != name}
        options[name] = value
    return options


def _from_file(found: argparse.Namespace) -> dict[str, Any]:
    """Options of a YAML file, such as another run's config.yaml; fills in what the command line left open."""
    try:
        config = parse_yaml(Path(found.config).read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise InputError(f"{found.config} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{found.config} is not YAML: {error}") from error
    if not isinstance(config, dict):
        raise InputError(f"{found.config} holds no options (NAME: VALUE lines)")
    method = config.get("method")
    name = method.pop("name", None) if isinstance(method, dict) else config.pop("method", None)
    data = config.pop("data", None) or {}
    data = data if isinstance(data, dict) else {"path": data}
    if found.data is None and found.method and name and Path(found.method).exists():
        found.method, found.data = None, found.method
    found.method = found.method or name
    found.data = found.data or data.get("path")
    for key in ("modality", "label", "size"):
        if getattr(found, key) is None:
            setattr(found, key, data.get(key))
    seed = config.pop("seed", None)
    found.seed = seed if found.seed is None else found.seed
    for key in ("anyview", "out"):
        config.pop(key, None)
    options = flatten(config)
    for key in [k for k in options if k == "views.needs" or k.startswith("encoder.input.")]:
        options.pop(key)
    if isinstance(options.get("encoder"), str):
        options["encoder.name"] = options.pop("encoder")
    if found.encoder:
        options = {k: v for k, v in options.items() if not k.startswith("encoder.")}
    if found.minutes is not None:
        options.pop("training.epochs", None)
    if found.epochs is not None:
        options.pop("training.minutes", None)
    return options


def _help(p: Parser, method: str | None, kind: str) -> None:
    p.print_help()
    if method is None:
        return
    cls = method_class(method)
    about = (cls.__doc__ or "").split("Args:")[0].rstrip()
    print(f"\noptions of {method} on {kind} data (give any with --set NAME=VALUE or --NAME VALUE)\n{about}\n")
    for action in option_parser(cls, views_factory(cls, modality(kind)))._actions:
        if "." not in action.dest:
            continue
        default = action.default if not isinstance(action.default, argparse.Namespace) else None
        text = " ".join((action.help or "").split())
        print(f"  {action.dest:<28} {text} (default: {json.dumps(default, default=str)})")


def _dry_run(plan: Plan) -> None:
    """Shapes through the network, memory, and steps, without training."""
    import torch

    source = plan.source
    batch = source.fetch(torch.arange(min(4, len(source))))
    with torch.no_grad():
        views = plan.method.make_views(batch)
        embeddings = plan.method.eval()(views)
    parameters = sum(t.numel() for t in plan.method.parameters())
    steps = plan.training.epochs * plan.steps_per_epoch if plan.training.epochs else None
    lines = [("views", " · ".join(_shape(v.x) for v in views))]
    lines += [("embedding", " · ".join(f"{k} {_shape(v)}" for k, v in embeddings.items()))]
    lines += [
        (
            "memory",
            f"{parameters * 16 / 1e6:,.0f} MB for weights, gradients and optimiser; activations come on top",
        )
    ]
    lines += [("steps", f"{steps:,}" if steps else f"as many as {plan.training.minutes:g} minutes allow")]
    say_lines(console(), lines)
    sys.stdout.flush()


def _shape(x: Any) -> str:
    return " x ".join(str(n) for n in x.shape) if hasattr(x, "shape") else type(x).__name__
