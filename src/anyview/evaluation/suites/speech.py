"""Speech: what is said, who says it, in which language."""

from anyview.evaluation.suites.base import Suite, Task
from anyview.register import system


@system(
    "superb",
    title="SUPERB: Speech processing Universal PERformance Benchmark",
    paper="arXiv:2105.01051",
    year=2021,
    kind="evaluation",
    modalities=("audio",),
)
def speech() -> Suite:
    """SUPERB's frozen protocol for tasks of one class a recording: ``x = sum_l softmax(w)_l H_l``, the mean over time
    and a linear layer; ``w`` is learned with the layer for each task, the encoder never moves (section 3)."""
    return Suite(
        name="speech",
        modality="audio",
        follows="SUPERB (Yang et al. 2021, arXiv:2105.01051), its tasks of one class a recording",
        deviations=(
            "digits stand for keywords, six speakers for VoxCeleb; language is not among SUPERB's tasks, and each "
            "language has one speaker, so that voice tells it too",
            "phonemes, transcripts, slots, verification, search by example and diarisation are not there",
            "solved by L-BFGS with a penalty chosen on validation, not by Adam with a chosen rate",
            "layers are standardised before they are mixed; encoders whose layers differ in width are judged by "
            "their output (linear)",
            "raw features have no layers to weigh: there is no FBANK row unless linear stands in",
        ),
        tasks=(
            Task("digit", "fsdd", "content", "label", protocol="layers"),
            Task("speaker", "fsdd", "voice", "speaker", protocol="layers"),
            Task("language", "asterisk_prompts", "language", "label", protocol="layers"),
        ),
        instead="linear",
    )


SUITE = speech()
