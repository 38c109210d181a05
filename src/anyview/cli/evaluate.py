"""``anyview evaluate RUN DATA``"""

import json
from pathlib import Path

from anyview.api import keep_evaluation, read_health
from anyview.cli.common import Parser, console, say_lines
from anyview.cli.encoder import ENCODER, elsewhere_options, load_encoder
from anyview.evaluation.protocols import PROTOCOLS
from anyview.evaluation.run import evaluate
from anyview.evaluation.verdict import verdict
from anyview.report.tables import print_results
from anyview.training.folder import read_config


def run(args: list[str]) -> int:
    p = Parser("evaluate", "Judge an encoder beside the same encoder untrained and the raw features.")
    p.add_argument("run", help=ENCODER)
    p.add_argument("data", help="labelled data or pairs with a test split, else a fifth is held out as one")
    p.add_argument("--test", help="labelled test data, when DATA has none")
    p.add_argument(
        "--protocol",
        nargs="+",
        metavar="NAME",
        help=f"of {', '.join(PROTOCOLS)} (default: what suits the labels)",
    )
    p.add_argument("--label", help="column with labels")
    p.add_argument(
        "--groups", metavar="COLUMN", help="column whose values part test: figures of each, and the worst"
    )
    p.add_argument(
        "--supervised", action="store_true", help="also train the encoder from scratch with the labels"
    )
    p.add_argument("--seed", type=int, default=0, help="of draws and held-out samples (default 0)")
    p.add_argument("--json", action="store_true", help="print the figures as JSON")
    elsewhere_options(p)
    found = p.parse_all(args)
    model = load_encoder(found)
    out = console(found.json)

    with out.status("reading") as status:
        results = evaluate(
            model,
            found.data,
            found.test,
            protocols=found.protocol,
            label=found.label,
            groups=found.groups,
            supervised=found.supervised,
            seed=found.seed,
            say=status.update,
        )
    text = verdict(results, read_health(model.run), raw_name=model.modality.raw_name)
    report = keep_evaluation(model.run, results, text) if model.run else None
    if found.json:
        print(json.dumps([r.record() for r in results], indent=2))
        return 0
    method = read_config(Path(model.run))["method"]["name"] if model.run else "pretrained"
    print_results(results, raw_name=model.modality.raw_name, method=method, console=out)
    lines = [("verdict", text)]
    if report:
        lines.append(("wrote", f"{model.run}/evaluation.json · open {report}"))
    say_lines(out, lines)
    return 0
