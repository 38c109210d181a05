"""``encoder/README.md``: the model card that goes wherever the encoder goes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from anyview._version import __version__
from anyview.files import write_text
from anyview.report.parts import paper
from anyview.report.record import Record
from anyview.report.tables import caption, results_markdown

LICENCE = "unknown"  #: of the weights; only who trained them can say


def write_card(record: Record) -> Path | None:
    """Writes the card beside the encoder of a run; None where there is no encoder yet.

    A licence that somebody has set in the card that lies there is kept.
    """
    folder = record.path / "encoder"
    if not (folder / "config.json").is_file():
        return None
    path = folder / "README.md"
    write_text(path, card(record, _licence(path)))
    return path


def card(record: Record, licence: str = LICENCE) -> str:
    """The card as text: data, method, budget, figures with their spread, health, licence, how to load it."""
    option, data = record.option, record.data
    name = str(option("method.name", "method") or "unknown method")
    kind = str(option("data.modality") or data.get("modality") or "")
    about = {
        "library_name": "anyview",
        "license": licence,
        "tags": [tag for tag in ("self-supervised", name, kind) if tag],
    }
    source = str(data.get("name") or option("data.path") or "data in memory")
    facts = [
        ("data", ", ".join([source, str(data.get("description") or ""), *map(str, data.get("facts") or [])])),
        ("method", ", ".join(filter(None, [name, paper(name)]))),
        ("encoder", option("encoder.name", "encoder")),
        ("budget", _budget(record)),
        ("seed", option("seed")),
        ("made by", f"anyview {option('anyview') or __version__}"),
    ]
    parts = [
        f"---\n{yaml.safe_dump(about, sort_keys=False, allow_unicode=True)}---",
        f"# {_plain(f'{name} on {source}')}",
        "\n".join(f"- **{title}**: {_plain(text)}" for title, text in facts if text not in (None, "")),
        "Pretrained without labels; `license` above is that of the weights, for their author to set.",
        "## How good it is",
        *_quality(record, name),
        "## How to use it",
        "With anyview, on data of the same kind:",
        '```python\nimport anyview as av\n\nmodel = av.load("path/of/this/folder")\n'
        'vectors = model.embed("your/data")  # float32, (samples, dim)\n```',
        *_elsewhere(str(option("encoder.name") or ""), option("encoder.input.shape") or (3, 224, 224)),
    ]
    return "\n\n".join(parts) + "\n"


def _quality(record: Record, name: str) -> list[str]:
    health = str(record.health.get("verdict") or "")
    if not record.evaluation:
        return (
            [_plain(health), "Not judged with labels yet (`anyview evaluate`)."]
            if health
            else ["Not judged yet."]
        )
    raw = str(record.data.get("raw_name") or "raw features")
    said = [_plain(record.verdict)] if record.verdict else []
    said += [_plain(health)] if health and health not in record.verdict else []
    table = results_markdown(record.evaluation, raw, name).rstrip()
    return [*said, table, f"{caption(record.evaluation)}."]


def _elsewhere(encoder: str, shape: Sequence[int]) -> list[str]:
    """How networks of other libraries take the weights without anyview."""
    prefix, _, name = encoder.partition(":")
    if prefix == "timm":
        library, network = "timm", f"import timm\n\nnetwork = {_timm(name, shape)}"
    elif prefix == "hf":
        library = "transformers"
        network = (
            "import json\nfrom transformers import AutoConfig, AutoModel\n\n"
            'architecture = json.load(open("config.json"))["architecture"]\n'
            'kind = architecture.pop("model_type")\n'
            "network = AutoModel.from_config(AutoConfig.for_model(kind, **architecture))"
        )
    else:
        return []
    load = (
        "from safetensors.torch import load_file\n\n"
        'weights, prefix = load_file("model.safetensors"), "network."\n'
        "weights = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}\n"
        "network.load_state_dict(weights, strict=False)\nnetwork.eval()"
    )
    return [f"With {library} alone:", f"```python\n{network}\n{load}\n```"]


def _timm(name: str, shape: Sequence[int]) -> str:
    """The call that makes the network as the adapter did."""
    import timm

    published = timm.get_pretrained_cfg(name)
    size = f", img_size={tuple(shape[1:])}" if published and published.fixed_input_size else ""
    return f'timm.create_model("{name}", num_classes=0, in_chans={shape[0]}{size})'


def _budget(record: Record) -> str:
    epochs, minutes = record.option("training.epochs"), record.option("training.minutes")
    length = f"{minutes:g} min" if minutes else f"{epochs} epochs" if epochs else ""
    batch = record.option("training.batch_size")
    return ", ".join(filter(None, [length, f"batch {batch}" if batch else ""]))


def _plain(text: Any) -> str:
    """User's text in one line that Markdown shows as it is."""
    line = " ".join(str(text).split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in line)


def _licence(path: Path) -> str:
    """What the card that lies there says."""
    try:
        head = path.read_text(encoding="utf-8").split("---")[1]
        return str(yaml.safe_load(head)["license"])
    except (OSError, IndexError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return LICENCE
