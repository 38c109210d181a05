"""``anyview demo``: the main job on handwritten digits, offline."""

from pathlib import Path

from anyview._version import __version__
from anyview.api import keep_evaluation, read_health
from anyview.cli.common import Parser, console, say_lines
from anyview.evaluation.run import evaluate
from anyview.evaluation.verdict import verdict
from anyview.report.tables import print_results
from anyview.training.folder import new_run_folder
from anyview.training.plan import make_plan

#: digits are upright, centred and must not be mirrored; strong crops and no flips suit them
OPTIONS = {"views.flip": 0.0}


def run(args: list[str]) -> int:
    p = Parser("demo", "Pretrain on scikit-learn's handwritten digits, judge, and write a report.")
    p.add_argument("--out", help="run folder (default runs/demo, numbered when taken)")
    p.add_argument("--minutes", type=float, default=1.0, help="of training (default 1)")
    p.add_argument("--seed", type=int, default=0)
    found = p.parse_all(args)
    out = console()
    out.print(
        f"anyview {__version__} · demo on scikit-learn's handwritten digits "
        "(1,797 images of 8 x 8), nothing is downloaded\n"
    )
    plan = make_plan(
        "simclr", "digits", options={**OPTIONS, "training.minutes": found.minutes}, seed=found.seed
    )
    say_lines(out, plan.lines())
    folder = new_run_folder(found.out or _free("demo"), "simclr", "digits")
    from anyview.training.run import train

    model = train(plan, folder, console=out)
    with out.status("judging"):
        results = evaluate(model, plan.dataset, seed=found.seed)
    text = verdict(results, read_health(folder), raw_name=model.modality.raw_name)
    report = keep_evaluation(folder, results, text)
    out.print()
    print_results(results, raw_name=model.modality.raw_name, method="simclr", console=out)
    out.print()
    say_lines(
        out,
        [
            ("verdict", text),
            ("wrote", f"{folder} · open {report}"),
            ("next", "anyview pretrain simclr your/photos/ --minutes 10"),
        ],
    )
    return 0


def _free(name: str) -> Path:
    path, n = Path("runs") / name, 1
    while path.exists():
        n += 1
        path = Path("runs") / f"{name}-{n}"
    return path
