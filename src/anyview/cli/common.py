"""What commands share: a parser that answers wrong names with the nearest right one, and a console."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from rich.console import Console

from anyview.errors import InputError, nearest, printable
from anyview.training.config import parse_text


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors in the library's tone."""

    def __init__(self, command: str, description: str, **kwargs: Any) -> None:
        super().__init__(
            prog=f"anyview {command}",
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **kwargs,
        )
        self.command = command

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].lower()}{message[1:]} (anyview {self.command} --help)")

    def parse_all(self, args: Sequence[str]) -> argparse.Namespace:
        """Parses; an unknown option is an error that names the nearest one."""
        found, rest = self.parse_known_args(list(args))
        if rest:
            raise InputError(self.unknown_option(rest[0]))
        return found

    def unknown_option(self, text: str) -> str:
        if not text.startswith("-"):
            return f'"{text}" is one argument too many for anyview {self.command} (--help)'
        name = text.split("=")[0]
        guess = nearest(name, [s for a in self._actions for s in a.option_strings if s.startswith("--")])
        hint = f'; did you mean "{guess}"?' if guess else ""
        return f'no option "{name}" for anyview {self.command}{hint} (--help lists all)'


def setting(pair: str) -> tuple[str, Any]:
    """Name and value of one ``--set NAME=VALUE``."""
    name, equals, value = pair.partition("=")
    if not equals:
        raise InputError(f"--set takes NAME=VALUE, such as temperature=0.2; got {pair!r}")
    section, dot, option = name.strip().rpartition(".")
    return section + dot + option.replace("-", "_"), parse_text(value)


def console(json: bool = False) -> Console:
    """Standard output, or standard error where standard output carries JSON."""
    return Console(stderr=json, highlight=False, soft_wrap=True)


def say_lines(out: Console, lines: Sequence[tuple[str, str]]) -> None:
    """``data      digits · image 1 x 8 x 8`` and its like; long lines wrap under their own text."""
    width = out.width if out.is_terminal else 10_000
    for head, text in lines:
        row = f"{head:<10}"
        for part in printable(text).split(" · "):
            if len(row) + len(part) + 3 > width and row.strip():
                out.print(row.rstrip(" ·"), markup=False)
                row = " " * 10
            row += part + " · "
        out.print(row.removesuffix(" · "), markup=False)
