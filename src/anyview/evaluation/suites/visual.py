"""Images: natural, specialised and structured tasks of 1,000 labels each."""

from anyview.evaluation.suites.base import Suite, Task
from anyview.register import system


def _task(name: str, group: str, data: str = "", label: str | None = None, split: str | None = None) -> Task:
    return Task(name, data or name, group, label, split, labels=1000)


@system(
    "vtab",
    title="A Large-scale Study of Representation Learning with the Visual Task Adaptation Benchmark",
    paper="arXiv:1910.04867",
    year=2019,
    kind="evaluation",
    modalities=("image",),
)
def visual() -> Suite:
    """VTAB-1k in miniature: an encoder is good if it does well, with 1,000 labels, on tasks of three groups that it
    has not seen; ``score = 1 / tasks * sum accuracy`` (section 2.1), and the mean of every group beside it."""
    return Suite(
        name="visual",
        modality="image",
        follows="VTAB-1k (Zhai et al. 2019, arXiv:1910.04867)",
        deviations=(
            "10 tasks in place of 19, on small sets and drawings; figures compare with each other, not with the paper",
            "a linear layer on frozen embeddings, not the tuning of all weights; --protocol finetune-plain does that",
            "fitted on 800 labels, while 200 only choose; VTAB fits the choice again on all 1,000",
            "labels are drawn equally from all classes; one run unless --seeds says more, and its mean, not the median",
            "structured tasks are drawn from a seed, in the manner of CLEVR and dSprites, on 64 x 64 pixels",
        ),
        tasks=(
            _task("cifar10", "natural"),
            _task("fashion_mnist", "natural"),
            _task("emoji groups", "natural", "emoji", "group"),
            _task("omniglot characters", "natural", "omniglot_small", split="train"),
            _task("rsscn7", "specialised", "rsscn7_64"),
            _task("pneumonia_mnist", "specialised"),
            _task("count", "structured", "scenes-count"),
            _task("distance", "structured", "scenes-distance"),
            _task("orientation", "structured", "scenes-orientation"),
            _task("location", "structured", "scenes-location"),
        ),
    )


SUITE = visual()
