"""Tables: income by class, prices of houses by number."""

from anyview.evaluation.suites.base import Suite, Task

SUITE = Suite(
    name="tables",
    modality="table",
    follows="Adult and California Housing as Gorishniy et al. 2021 judge on them (arXiv:2106.11959, section 4): "
    "accuracy, and RMSE in the unit of the target",
    deviations=(
        "a linear layer on frozen embeddings; they train whole networks with labels, tuned, over 15 seeds",
        "2 of their 11 sets; California Housing is cut 70/10/20 by another seed",
        "an encoder that was trained elsewhere is judged on the tables whose columns it can read",
    ),
    tasks=(
        Task("Adult", "adult", "classes"),
        Task("California Housing", "california_housing", "numbers", protocol="regression", metric="rmse"),
    ),
    learns=True,
)
