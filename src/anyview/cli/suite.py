"""``anyview suite NAME ENCODER``"""

import json
import shlex

from anyview.api import suite
from anyview.cli.common import Parser, console, say_lines
from anyview.cli.encoder import elsewhere_options
from anyview.evaluation.suites import SUITES, suite_named
from anyview.evaluation.suites.score import KEPT
from anyview.modalities import modality
from anyview.report.tables import print_results


def run(args: list[str]) -> int:
    p = Parser("suite", "Judge an encoder on many tasks by one published protocol.")
    p.add_argument("name", help=f"one of {', '.join(SUITES)}")
    p.add_argument(
        "encoder",
        help="a run folder, a saved encoder, timm:NAME or hf:FOLDER; for series, graphs and tables also a method, "
        "which pretrains on each set",
    )
    p.add_argument("--epochs", type=int, help="of such a method, passes over each set; or")
    p.add_argument("--minutes", type=float, help="wall-clock time of each of its runs")
    p.add_argument(
        "--protocol",
        metavar="NAME",
        help="for tasks of classes, in place of linear: finetune-plain, knn, ...",
    )
    p.add_argument("--seeds", type=int, default=1, help="of drawn labels and untrained encoders (default 1)")
    p.add_argument("--out", help="folder (default runs/suite-NAME-ENCODER); what is done is not done again")
    p.add_argument("--json", action="store_true", help="print the figures as JSON")
    elsewhere_options(p, ("weights", "size", "normalise"))
    found = p.parse_all(args)
    out, chosen = console(found.json), suite_named(found.name)
    say_lines(
        out,
        [
            (
                "suite",
                f"{chosen.name} · {len(chosen.tasks)} tasks: {', '.join(t.name for t in chosen.tasks)}",
            ),
            ("follows", chosen.follows),
        ],
    )
    score = suite(
        found.name,
        found.encoder,
        epochs=found.epochs,
        minutes=found.minutes,
        weights=found.weights,
        size=found.size,
        normalise=found.normalise,
        seeds=found.seeds,
        protocol=found.protocol,
        out=found.out,
        quiet=found.json,
        command=shlex.join(["anyview", "suite", *args]),
    )
    if found.json:
        print(json.dumps(score.record(), indent=2))
        return 0
    raw_name = modality(chosen.modality).raw_name
    out.print()
    print_results(score.rows(), raw_name=raw_name, method=score.name, console=out)
    if score.seeds > 1:
        out.print(f"over {score.seeds} seeds: ± is the deviation over them", style="dim")
    out.print()
    lines = [("but" if place == 0 else "", text) for place, text in enumerate(score.deviations())]
    lines += [("left out", f"{task}: {why}") for task, why in score.left_out.items()]
    say_lines(out, [*lines, ("verdict", score.verdict(raw_name)), ("wrote", f"{score.folder}/{KEPT}")])
    return 0
