"""What every section of the page is put together from."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from anyview._version import __version__
from anyview.errors import InputError
from anyview.register import method
from anyview.report.record import Record


def unit(record: Record) -> str:
    """What this run's samples are called."""
    return str(record.data.get("unit") or "samples")


def document(title: str, over: str, folder: Path, body: Sequence[str], script: str = "") -> str:
    """A whole page that loads nothing from elsewhere: a line over the title, the title, ``body``, a footer."""
    style = (files("anyview.report") / "page.css").read_text(encoding="utf-8")
    where = escape(folder.as_posix())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · anyview</title><style>{style}</style></head>\n<body>"
        f'<p class="over">{escape(over)} · {where}</p><h1>{escape(title)}</h1>\n'
        + "\n".join(body)
        + f"\n<footer>Made by anyview {escape(__version__)} from {where}.</footer>"
        + (f"\n<script>{script}</script>" if script else "")
        + "</body></html>\n"
    )


def section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def paper(name: str) -> str:
    """Title, year and paper of a method; empty for one that the register does not know."""
    try:
        system = method(name)
    except (InputError, ImportError):  # made by a version that has this method, or by a user's own class
        return ""
    return f"{system.title}, {system.year} ({system.paper})"


def missing(text: str) -> str:
    return f'<p class="missing">{text}</p>'


def figure(title: str, about: str, drawing: str) -> str:
    """A plot under its one message; ``title`` and ``about`` are escaped here."""
    return (
        f"<figure><figcaption><h3>{escape(title)}</h3><p>{escape(about)}</p></figcaption>{drawing}</figure>"
    )
