"""``anyview resume RUN``"""

from pathlib import Path

from anyview.api import resume
from anyview.cli.common import Parser, console, say_lines
from anyview.cli.pretrain import finish
from anyview.training.checkpoint import last_checkpoint
from anyview.training.folder import read_config


def run(args: list[str]) -> int:
    p = Parser(
        "resume", "Go on with a run from its last checkpoint, to the same weights as if it had not stopped."
    )
    p.add_argument("run", help="the run folder")
    found = p.parse_all(args)
    folder = Path(found.run)
    config = read_config(folder)
    complete = (folder / "encoder" / "config.json").is_file()
    if complete and (folder / "report.html").is_file():
        say_lines(console(), [("done", f"{folder} is complete; nothing to resume")])
        return 0
    if not complete and last_checkpoint(folder) is None:
        say_lines(console(), [("resume", "it ended before its first checkpoint; it begins again")])
    resume(folder, console=console())
    finish(folder, config["data"]["path"])
    return 0
