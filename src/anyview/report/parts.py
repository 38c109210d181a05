"""What every section of the page is put together from."""

from html import escape

from anyview.report.record import Record


def unit(record: Record) -> str:
    """What this run's samples are called."""
    return str(record.data.get("unit") or "samples")


def missing(text: str) -> str:
    return f'<p class="missing">{text}</p>'


def figure(title: str, about: str, drawing: str) -> str:
    """A plot under its one message; ``title`` and ``about`` are escaped here."""
    return (
        f"<figure><figcaption><h3>{escape(title)}</h3><p>{escape(about)}</p></figcaption>{drawing}</figure>"
    )
