"""The card of an encoder: true, escaped, and its code loads the weights."""

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from anyview.encoders import registry
from anyview.evaluation.result import Figure, Result
from anyview.files import write_json
from anyview.report.html import write_report


def make_run(run: Path, encoder: Any, **data: Any) -> Path:
    registry.save(encoder, run / "encoder", {"modality": "image", "spec": {}})
    config = {
        "anyview": "0.1",
        "method": {"name": "simclr"},
        "data": {"path": "photos", "modality": "image"},
        "encoder": encoder.config,
        "training": {"minutes": 10.0, "epochs": None, "batch_size": 64},
        "seed": 3,
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    write_json(
        run / "data.json", {"name": "photos", "facts": ["1,234 train"], "raw_name": "raw pixels"} | data
    )
    return run


def code(card: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", card, re.S)


def test_it_says_what_was_done_and_how_good_it_is(tmp_path: Path) -> None:
    run = make_run(tmp_path, registry.build("convnet-s", (3, 16, 16), width=4))
    write_report(run)
    card = (run / "encoder" / "README.md").read_text()
    assert "Not judged yet." in card

    figures = {
        "pretrained": Figure(0.8, 0.01, 200),
        "untrained": Figure(0.4, 0.01, 200),
        "raw": Figure(0.5, 0.01, 200),
    }
    write_json(run / "evaluation.json", [Result("knn", "accuracy", "test", figures).record()])
    write_json(run / "health.json", {"verdict": "No collapse (effective rank 20 of 64)."})
    (run / "verdict.txt").write_text("it learned: +30 points over raw pixels with nearest neighbours.\n")
    write_report(run)
    card = (run / "encoder" / "README.md").read_text()
    about = yaml.safe_load(card.split("---")[1])
    assert about == {
        "library_name": "anyview",
        "license": "unknown",
        "tags": ["self-supervised", "simclr", "image"],
    }
    for said in (
        "# simclr on photos",
        "1,234 train",
        "10 min, batch 64",
        "+30 points",
        "effective rank 20",
        "2002.05709",
    ):
        assert said in card
    assert re.search(r"nearest neighbours \| 40.0 ± 1.0 \| 50.0 ± 1.0 \| \*\*80.0 ± 1.0\*\*", card)


def test_a_licence_that_somebody_has_set_is_kept(tmp_path: Path) -> None:
    run = make_run(tmp_path, registry.build("convnet-s", (3, 16, 16), width=4))
    write_report(run)
    path = run / "encoder" / "README.md"
    path.write_text(path.read_text().replace("license: unknown", "license: cc-by-4.0"))
    write_report(run)
    assert "license: cc-by-4.0" in path.read_text()
    path.write_text("--- not: [yaml ---")
    write_report(run)
    assert "license: unknown" in path.read_text()


def test_names_of_users_are_shown_as_they_are(tmp_path: Path) -> None:
    hostile = "a|b <script>alert(1)</script>\n# [x](http://y) `z`"
    run = make_run(tmp_path, registry.build("convnet-s", (3, 16, 16), width=4), name=hostile)
    write_report(run)
    card = (run / "encoder" / "README.md").read_text()
    assert not re.search(r"(?<!\\)<script", card)
    assert "\n# [x]" not in card
    assert r"a\|b \<script\>" in card


def test_there_is_no_card_without_an_encoder(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("method: {name: simclr}\n")
    write_report(tmp_path)
    assert not (tmp_path / "encoder").exists()


@pytest.mark.parametrize("name", ["timm:test_resnet", "timm:test_vit"])
def test_timm_alone_loads_the_weights(tmp_path: Path, name: str) -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    encoder = registry.build(name, (1, 32, 32)).eval()
    write_report(make_run(tmp_path, encoder))
    names: dict[str, Any] = {}
    with contextlib.chdir(tmp_path / "encoder"):
        exec(code((tmp_path / "encoder" / "README.md").read_text())[1], names)
    x = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(names["network"](x), encoder(x))


def test_transformers_alone_loads_the_weights(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    architecture = {"model_type": "bert", "vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 1}
    architecture |= {"num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 16}
    special = {"pad": 0, "mask": 1, "before": [2], "after": [3]}
    about = {"modality": "text", "vocabulary": 30, "max_length": 8, **special}
    encoder = registry.build("hf:bert", about, architecture=architecture).eval()
    write_report(make_run(tmp_path, encoder))
    names: dict[str, Any] = {}
    with contextlib.chdir(tmp_path / "encoder"):
        exec(code((tmp_path / "encoder" / "README.md").read_text())[1], names)
    x = torch.arange(12).view(2, 6)
    found, wanted = (
        network(input_ids=x).last_hidden_state for network in (names["network"], encoder.network)
    )
    torch.testing.assert_close(found, wanted)
