"""``anyview compare DATA --methods ...``"""

import json
import shlex

from anyview.api import contest_folder, run_comparison
from anyview.cli.common import Parser, console, say_lines, setting
from anyview.evaluation.contest import make_contest
from anyview.evaluation.standing import verdict
from anyview.report.leaderboard import print_leaderboard
from anyview.training.plan import counted


def run(args: list[str]) -> int:
    p = Parser("compare", "Pretrain several methods alike, and see which one, how sure, and at what cost.")
    p.add_argument("data", help="labelled data, or pairs, with a test split; else a fifth is held out as one")
    p.add_argument("--methods", nargs="+", required=True, metavar="NAME", help="such as simclr byol vicreg")
    p.add_argument("--minutes", type=float, help="wall-clock time of each run; or")
    p.add_argument(
        "--epochs", type=int, help="passes of each run over the samples: as many samples seen by all"
    )
    p.add_argument("--seeds", type=int, default=3, help="runs of each method (default 3)")
    p.add_argument("--encoder", help="of all methods (default: the modality's)")
    p.add_argument(
        "--protocol", nargs="+", metavar="NAME", help="as of evaluate; linear, else the first, decides"
    )
    p.add_argument(
        "--out", help="folder (default runs/compare-DATA); what it holds already is not done again"
    )
    p.add_argument("--modality", help="kind of data, when it is not to be recognised")
    p.add_argument("--label", help="column with labels, hidden from pretraining")
    p.add_argument("--size", type=int, help="side in pixels at which images are read")
    p.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any option of all methods, or METHOD.NAME=VALUE of one",
    )
    p.add_argument("--json", action="store_true", help="print the leaderboard as JSON")
    found = p.parse_all(args)
    out = console(found.json)
    contest = make_contest(
        found.data,
        found.methods,
        seeds=found.seeds,
        minutes=found.minutes,
        epochs=found.epochs,
        encoder=found.encoder,
        protocols=found.protocol,
        modality_name=found.modality,
        label=found.label,
        size=found.size,
        options=dict(setting(pair) for pair in found.set),
    )
    settings = contest.settings()
    say_lines(
        out,
        [
            ("data", " · ".join([settings["data"], *contest.dataset.describe()])),
            ("compare", f"{' · '.join(contest.methods)} · encoder {contest.encoder}"),
            ("budget", f"{settings['budget']} a run · {counted(contest.seeds, 'seed')}"),
            ("judged", f"by {', '.join(contest.protocols)}"),
        ],
    )
    folder = contest_folder(contest, found.out)
    again = shlex.join(["anyview", "compare", *args])
    table = run_comparison(contest, folder, console=out, command=again)
    if found.json:
        print(json.dumps(table.record(), indent=2))
        return 0
    out.print()
    print_leaderboard(table, out)
    out.print()
    best = table.judged[0].name if table.judged else table.methods[0].name
    say_lines(
        out,
        [
            ("verdict", verdict(table)),
            ("wrote", f"{folder}/compare.json · open {folder}/compare.html"),
            ("next", f"anyview pretrain {best} {shlex.quote(found.data)} --encoder {contest.encoder}"),
        ],
    )
    return 0
