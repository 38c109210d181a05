"""``report.html``: one self-contained page that says what a run did and whether it learned.

It is made from the run folder alone, so it can be made again at any time: after an evaluation, or elsewhere.
"""

import shlex
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml

from anyview.files import write_text
from anyview.report.card import write_card
from anyview.report.charts import number
from anyview.report.curves import training
from anyview.report.embedding import embedding
from anyview.report.parts import document, missing, paper, section, unit
from anyview.report.quality import quality
from anyview.report.record import Record, read_run
from anyview.report.samples import samples
from anyview.report.tables import figures


def write_report(run: Path) -> Path:
    """Writes ``report.html`` into a run folder, and the card of its encoder, and returns the page's path.

    Reads what is there of ``config.yaml``, ``data.json``, ``metrics.csv``, ``health.json``, ``samples.npz``,
    ``embedding.npz``, ``evaluation.json`` and ``verdict.txt``; what is absent or broken is said on the page.
    The page loads nothing from elsewhere. It replaces an earlier one only when it is complete.

    Raises:
        InputError: when ``run`` is not a run folder.
        RunError: when the page cannot be written.

    Example:
        >>> write_report(Path("runs/demo"))  # doctest: +SKIP
        PosixPath('runs/demo/report.html')
    """
    record = read_run(Path(run))
    path = record.path / "report.html"
    write_text(path, page(record))
    write_card(record)
    return path


def page(record: Record) -> str:
    """The whole page as text."""
    script = (files("anyview.report") / "page.js").read_text(encoding="utf-8")
    title = " on ".join(filter(None, [_method(record), _data_name(record)])) or record.path.name
    run, data = shlex.quote(record.path.as_posix()), shlex.quote(_data_path(record))
    body = [
        _verdict(record),
        _tiles(record),
        section("What was trained on what", _facts(record)),
        section("Samples, and what the method saw", samples(record)),
        section("How training went", training(record)),
        section("How good the representation is", quality(record, f"anyview evaluate {run} {data}")),
        section("What the embedding looks like", embedding(record)),
        section("How to use it", _usage(record, run, data)),
        section("All settings", _config(record)),
    ]
    return document(title, "anyview run", record.path, body, script)


def _method(record: Record) -> str:
    return str(record.option("method.name", "method") or "")


def _data_path(record: Record) -> str:
    return str(record.option("data.path", "data.name", "data") or "DATA")


def _data_name(record: Record) -> str:
    path = _data_path(record)
    return str(record.data.get("name") or ("" if path == "DATA" else Path(path).name))


def _verdict(record: Record) -> str:
    health = str(record.health.get("verdict") or "")
    said = [record.verdict[0].upper() + record.verdict[1:]] if record.verdict else []
    if health and health not in record.verdict:
        said.append(health)
    if not said:
        said = ["No verdict was recorded for this run."]
    style = "verdict warn" if record.health.get("collapsed") else "verdict"
    return f'<div class="{style}">{"".join(f"<p>{escape(text)}</p>" for text in said)}</div>'


def _tiles(record: Record) -> str:
    tiles = [_quality_tile(record), _rank_tile(record), _time_tile(record)]
    drawn = "".join(
        f"<div><dt>{escape(name)}</dt>"
        f'<dd class="big">{escape(big)}<small>{escape(small)}</small></dd>'
        f'<dd class="sub">{escape(sub)}</dd></div>'
        for name, big, small, sub in tiles
    )
    return f'<dl class="tiles">{drawn}</dl>'


def _quality_tile(record: Record) -> tuple[str, str, str, str]:
    judged = [r for r in record.evaluation if "pretrained" in r.figures]
    if judged:
        result = next((r for r in judged if r.protocol == "knn"), judged[0])
        metric = result.measure.title
        others = [
            f"{name} {figures(result, name)[0]}"
            for name in ("untrained", "raw", "supervised")
            if name in result.figures
        ]
        value, spread = figures(result, "pretrained")
        return (
            result.title if metric in result.title else f"{metric}, {result.title}",
            f"{value} %" if result.measure.percent else value,
            f" ± {spread}" if result.figures["pretrained"].std else "",
            " · ".join(others),
        )
    loss = record.column("loss")
    loss = loss[np.isfinite(loss)]
    if len(loss):
        return "loss at the end", number(loss[-1]), "", f"from {number(loss[0])} · not judged yet"
    return "quality", "–", "", "not judged yet"


def _rank_tile(record: Record) -> tuple[str, str, str, str]:
    rank, of = record.last("rank"), record.last("rank_of")
    small = f" of {number(of)}" if np.isfinite(of) else ""
    sub = "dimensions in use; 1 is collapse" if np.isfinite(rank) else "not watched"
    return "effective rank", number(rank, 2), small if np.isfinite(rank) else "", sub


def _time_tile(record: Record) -> tuple[str, str, str, str]:
    seconds, wait = record.column("seconds"), record.column("wait")
    speed = record.column("samples_per_s" if "samples_per_s" in record.metrics else "images_per_s")
    big = duration(float(np.nanmax(seconds))) if np.isfinite(seconds).any() else "–"
    sub = []
    if np.isfinite(speed).any():
        sub.append(f"{number(float(np.nanmedian(speed)))} {unit(record)}/s")
    if np.isfinite(wait).any():
        sub.append(f"waiting for data {100 * np.nanmean(wait):.0f} %")
    return "training time", big, "", " · ".join(sub)


def duration(seconds: int | float) -> str:
    """Time for people.

    >>> duration(61.4), duration(754), duration(7500)
    ('61 s', '12 min 34 s', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 180:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def _facts(record: Record) -> str:
    data, option = record.data, record.option
    facts = [str(fact) for fact in data["facts"]] if isinstance(data.get("facts"), list) else []
    skipped = 0 if any("left out" in fact for fact in facts) else data.get("skipped")
    path = _data_path(record)
    left: list[tuple[str, object]] = [
        ("data", _data_name(record)),
        ("read from", path if path not in ("DATA", _data_name(record)) else ""),
        ("one sample", data.get("description")),
        *[("", fact) for fact in facts],
        ("left out", f"{skipped} samples (listed in skipped.csv)" if skipped else ""),
    ]
    optimiser = [option("optimizer.name", "optimizer")]
    optimiser += [
        f"{word} {option(f'optimizer.{key}')}"
        for key, word in (("lr", "learning rate"), ("weight_decay", "weight decay"))
        if option(f"optimizer.{key}") is not None
    ]
    length = [
        f"{number(record.last(name), 4)} {name}s"
        for name in ("epoch", "step")
        if np.isfinite(record.last(name))
    ]
    right: list[tuple[str, object]] = [
        ("method", _method(record)),
        ("paper", paper(_method(record))),
        ("encoder", option("encoder.name", "encoder")),
        ("optimiser", ", ".join(str(x) for x in optimiser if x is not None)),
        ("batch", option("training.batch_size", "batch_size")),
        ("precision", option("training.precision", "precision")),
        ("length", " · ".join(length)),
        ("seed", option("seed", "training.seed")),
    ]
    return f'<div class="facts">{_pairs(left)}{_pairs(right)}</div>{_notes(record)}'


def _pairs(pairs: Iterable[tuple[str, object]]) -> str:
    rows = [(name, str(value)) for name, value in pairs if value is not None and str(value)]
    return f"<dl>{''.join(f'<dt>{escape(n)}</dt><dd>{escape(v)}</dd>' for n, v in rows)}</dl>"


def _notes(record: Record) -> str:
    return "".join(f'<p class="missing">{escape(note)}</p>' for note in record.notes)


def _usage(record: Record, run: str, data: str) -> str:
    shown = repr(record.path.as_posix()), repr(_data_path(record))
    python = f"import anyview as av\n\nmodel = av.load({shown[0]})\nvectors = model.embed({shown[1]})"
    shell = (
        f"anyview embed {run} {data} --out vectors.parquet\n"
        f"anyview evaluate {run} {data}\n"
        f"anyview resume {run}"
    )
    return (
        '<div class="grid2"><div><h3>In Python</h3>'
        f"<pre>{escape(python)}</pre></div><div><h3>In a terminal</h3><pre>{escape(shell)}</pre></div></div>"
    )


def _config(record: Record) -> str:
    if not record.config_text:
        return missing("No configuration was kept (config.yaml).")
    text = record.config_text
    if record.config:  # as the file has it, but without anchors and odd spacing
        text = yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True)
    return (
        "<details><summary>config.yaml: repeats this run</summary>"
        f"<pre>{escape(text.strip())}</pre></details>"
    )
