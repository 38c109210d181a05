"""``anyview systems``"""

import json

from rich.table import Table

from anyview.cli.common import Parser, console
from anyview.errors import unknown
from anyview.modalities import modality
from anyview.register import KINDS, systems


def run(args: list[str]) -> int:
    p = Parser("systems", "List the published systems that are implemented, and the evidence for each.")
    p.add_argument("--modality", help="only those usable on this modality")
    p.add_argument("--kind", help="only those of this kind: method, objective, evaluation, ...")
    p.add_argument("--json", action="store_true", help="print as JSON")
    found = p.parse_all(args)
    if found.kind is not None and found.kind not in KINDS:
        raise unknown("kind", found.kind, KINDS)
    if found.modality is not None:
        modality(found.modality)
    listed = systems(found.modality, found.kind)
    if found.json:
        print(json.dumps([s.record() for s in listed], indent=2))
        return 0
    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold" if out.is_terminal else "")
    for head in ("id", "kind", "year", "evidence", "title"):
        table.add_column(head, no_wrap=head != "title", overflow="ellipsis" if head == "title" else "fold")
    for s in listed:
        evidence = s.evidence
        state = "none yet" if evidence is None else "holds" if evidence["holds"] else "does not hold"
        table.add_row(s.id, s.kind, str(s.year), state, s.title)
    out.print(table, soft_wrap=False)
    return 0
