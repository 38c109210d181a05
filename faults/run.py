"""``make faults``: kills, disks, hostile files, damaged data and guided fuzzing, with figures; they are kept in
``results.json``."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

EXTRA = {"guided": "fuzz"}  #: what a suite needs beyond the tests' own
RESULTS = Path(__file__).with_name("results.json")


def _kill(args: argparse.Namespace) -> dict[str, Any]:
    from faults import kill

    methods = kill.METHODS[: args.methods]
    return kill.run(args.seconds, args.kills, args.seed, methods) | {"seeds": [args.seed]}


def _disk(args: argparse.Namespace) -> dict[str, Any]:
    from faults import disk

    found = disk.run()
    return {"faults": len(found), "problems": {name: what for name, what in found.items() if what}}


def _hostile(args: argparse.Namespace) -> dict[str, Any]:
    from faults import hostile

    return {"files": len(hostile.run())}


def _fuzz(args: argparse.Namespace) -> dict[str, Any]:
    from faults import fuzz

    return fuzz.run(args.files)


def _guided(args: argparse.Namespace) -> dict[str, Any] | None:
    from faults import guided

    return guided.run(args.guided) if guided.available() else None


def _long(args: argparse.Namespace) -> dict[str, Any]:
    from faults import long

    return long.run(args.minutes, args.embeddings)


#: in this order: what forks comes before what computes in this process
SUITES: dict[str, Callable[[argparse.Namespace], dict[str, Any] | None]] = {
    "kill": _kill,
    "disk": _disk,
    "hostile": _hostile,
    "fuzz": _fuzz,
    "guided": _guided,
    "long": _long,
}
OPTIONAL = ("long",)  #: only where it is named


def summary(found: dict[str, dict[str, Any]]) -> list[str]:
    """The figures, in words."""
    lines = []
    if kill := found.get("kill"):
        lines.append(f"kills survived    {kill['kills']} in {kill['runs']} runs")
        lines.append(f"bytes lost        {sum(kill['lost'].values())}")
    if disk := found.get("disk"):
        lines.append(
            f"disks lost        {disk['faults'] - len(disk['problems'])} of {disk['faults']} survived"
        )
    if hostile := found.get("hostile"):
        lines.append(f"hostile files     {hostile['files']}, each refused or harmless")
    if fuzz := found.get("fuzz"):
        lines.append(
            f"bad inputs tried  {fuzz['tried']:,}: {fuzz['refused']:,} refused, {fuzz['read']:,} read"
        )
    if guided := found.get("guided"):
        lines.append(
            f"guided inputs     {sum(guided['tried'].values()):,} on {len(guided['tried'])} kinds of reader: "
            f"{len(guided['findings'])} findings"
        )
    if long := found.get("long"):
        lines.append(
            f"long run          {long['minutes']:g} min: memory {long['memory']:+.1%} of {long['megabytes']:,} MB, "
            f"time of a step {long['step']:+.1%}; {long['embeddings']:,} embeddings: "
            f"memory {long['embedding_memory']:+.1%}"
        )
    return lines


def together(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Two rounds of killing as one."""
    added = {key: a[key] + b[key] for key in ("kills", "runs", "seconds", "seeds")}
    return {**added, "phase": dict(Counter(a["phase"]) + Counter(b["phase"])), "lost": a["lost"] | b["lost"]}


def failed(found: dict[str, dict[str, Any]]) -> list[Any]:
    """What was lost, not as promised, or neither read nor refused."""
    keys = (
        ("kill", "lost"),
        ("disk", "problems"),
        ("fuzz", "faults"),
        ("guided", "findings"),
        ("long", "grown"),
    )
    return [found[suite][key] for suite, key in keys if found.get(suite, {}).get(key)]


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("suites", nargs="*", choices=[[], *SUITES], help="all but long, unless some are named")
    p.add_argument("--kills", type=int, default=50, help="SIGKILLs at least")
    p.add_argument("--methods", type=int, default=3, help="methods that they are spread over")
    p.add_argument("--seed", type=int, default=0, help="of the moments; kept kills of other seeds add up")
    p.add_argument("--seconds", type=float, default=600.0, help="no further killing begins after these")
    p.add_argument("--guided", type=int, default=5, help="seconds of guided fuzzing for each kind of reader")
    p.add_argument("--files", type=int, default=1700, help="damaged files")
    p.add_argument("--minutes", type=float, default=30.0, help="of the long run")
    p.add_argument("--embeddings", type=int, default=100_000, help="after the long run")
    p.add_argument("--keep", action="store_true", help=f"write the figures to {RESULTS.name}")
    args = p.parse_args()
    torch.set_num_threads(1)
    found: dict[str, dict[str, Any]] = {}
    start = time.monotonic()
    for name in args.suites or [suite for suite in SUITES if suite not in OPTIONAL]:
        begun = time.monotonic()
        result = SUITES[name](args)
        if result is None:
            print(f'{name:<8} left out; it needs: pip install -e ".[{EXTRA[name]}]"', flush=True)
            continue
        found[name] = result | {"seconds": round(time.monotonic() - begun)}
        print(f"{name:<8} {found[name]['seconds']} s", flush=True)
    print("\n".join(summary(found)))
    bad = failed(found)
    for what in bad:
        print(f"FAILED: {json.dumps(what, indent=1)}", file=sys.stderr)
    if args.keep and not bad:
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        if "kill" in found and args.seed not in kept.get("kill", {}).get("seeds", [args.seed]):
            found["kill"] = together(kept["kill"], found["kill"])
        RESULTS.write_text(json.dumps(kept | found, indent=2) + "\n")
    print(f"in {time.monotonic() - start:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
