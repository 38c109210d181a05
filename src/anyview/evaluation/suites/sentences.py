"""Sentences: similarity, transfer and probing."""

from anyview.evaluation.suites.base import Suite, Task
from anyview.register import system


def _similar(name: str, data: str) -> Task:
    return Task(name, data, "similarity", "score", protocol="sts", metric="spearman")


@system(
    "sentence-embedding-study-2018",
    title="Evaluation of sentence embeddings in downstream and linguistic probing tasks",
    paper="arXiv:1806.06259",
    year=2018,
    kind="evaluation",
    modalities=("text",),
)
def sentences() -> Suite:
    """The three kinds of tasks of Perone et al. (2018), in SentEval's manner: frozen embeddings, one classifier for
    all, pairs classified by ``[|u - v|; u * v]``, similarity by the cosine."""
    return Suite(
        name="sentences",
        modality="text",
        follows="SentEval (Conneau and Kiela 2018, arXiv:1803.05449; probing: arXiv:1805.01070), as Perone et al. "
        "2018 (arXiv:1806.06259) use it",
        deviations=(
            "STS13, STS15, CR and MPQA are not there, nor MSRvid of STS12; of the probing tasks ObjNum, SOMO and "
            "CoordInv, and caption retrieval, neither",
            "similarity is Spearman over all pairs of a year, not the mean of Pearson over its subsets; SICK and STS-B "
            "by the cosine alone, without a trained regression",
            "MR and SUBJ are judged on one fold of ten",
            "logistic regression solved exactly, its penalty chosen on validation, in place of Adam; also where "
            "SentEval probes by an MLP",
            "probing sentences are of Brown, ABC, state papers and a tenth of the Penn Treebank: 2,000 to 4,000 of "
            "train, not 100,000; 100 words in place of 1,000; tree depth is not freed of length, and classes of parsed "
            "sentences are as they fall",
        ),
        tasks=(
            _similar("STS12", "sts12"),
            _similar("STS14", "sts14"),
            _similar("STS16", "sts16"),
            _similar("STS-B", "stsb"),
            _similar("SICK-R", "sick"),
            Task("MR", "mr", "transfer"),
            Task("SST-2", "sst2", "transfer"),
            Task("SST-5", "sst5", "transfer"),
            Task("SUBJ", "subj", "transfer"),
            Task("TREC", "trec", "transfer"),
            Task("MRPC", "mrpc", "transfer", "label"),
            Task("SICK-E", "sick", "transfer", "label"),
            Task("length", "probing-length", "probing"),
            Task("word content", "probing-word", "probing"),
            Task("tree depth", "probing-depth", "probing"),
            Task("top constituents", "probing-top", "probing"),
            Task("bigram shift", "probing-shift", "probing"),
            Task("tense", "probing-tense", "probing"),
            Task("subject number", "probing-subject", "probing"),
        ),
    )


SUITE = sentences()
