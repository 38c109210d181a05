"""Series: sets of the UCR and UEA archives."""

from anyview.evaluation.suites.base import Suite, Task

ONE = ("acsf1", "adiac", "arrowhead", "ecg5000", "gunpoint", "italypowerdemand", "osuleaf", "pickupgesture",
       "swedishleaf")  # fmt: skip
SEVERAL = ("basicmotions", "japanesevowels", "watch_imu")

SUITE = Suite(
    name="series",
    modality="series",
    follows="the UCR and UEA archives as TS2Vec judges on them (Yue et al. 2022, arXiv:2106.10466, section 4.1): an "
    "encoder a set, pretrained on its train series",
    deviations=(
        "11 sets of 158 and a set of wearable sensors, which is not of the archives",
        "logistic regression in place of an SVM with an RBF kernel",
        "an encoder that was trained elsewhere is judged on the sets that it can read: those of as many channels",
        "a tenth of train chooses; the smallest sets have few series for that",
    ),
    tasks=(
        *(Task(name, f"ts_{name}", "one channel") for name in ONE),
        *(Task(name, f"ts_{name}", "several channels") for name in SEVERAL),
    ),
    learns=True,
)
