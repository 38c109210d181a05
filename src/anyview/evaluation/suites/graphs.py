"""Graphs: nodes of citation networks, and molecules and proteins as graphs."""

from anyview.evaluation.suites.base import Suite, Task

SUITE = Suite(
    name="graphs",
    modality="graph",
    follows="nodes as DGI (Velickovic et al. 2019, arXiv:1809.10341) on the public splits, graphs as InfoGraph (Sun "
    "et al. 2020, arXiv:1908.01000): an encoder a set, pretrained without labels, and a linear classifier",
    deviations=(
        "graphs are judged on one fold of ten, not on all; logistic regression in place of an SVM",
        "Pubmed, and the sets of InfoGraph but MUTAG, are not there; PROTEINS and ENZYMES are added",
        "an encoder that was trained elsewhere is judged on the sets whose features it can read",
    ),
    tasks=(
        Task("Cora", "planetoid_cora", "nodes"),
        Task("Citeseer", "planetoid_citeseer", "nodes"),
        Task("MUTAG", "tu_mutag", "graphs"),
        Task("PROTEINS", "tu_proteins", "graphs"),
        Task("ENZYMES", "tu_enzymes", "graphs"),
    ),
    learns=True,
)
