"""Sentences of a small grammar, two classes by subject, short enough that a step takes milliseconds."""

import random

from anyview.data import open as open_data
from anyview.data.source import Dataset

SUBJECTS = (("cat", "dog", "horse", "bird"), ("car", "boat", "train", "plane"))
VERBS = (("eats", "sleeps near", "watches", "follows"), ("carries", "stops near", "passes", "leaves"))
PLACES = ("the old house", "a river", "the green hill", "their garden", "a road")


def samples(n: int = 24) -> Dataset:
    """Each sentence has a length of its own: one to three clauses."""
    draw = random.Random(3)
    texts = []
    for i in range(n):
        subjects, verbs = SUBJECTS[i % 2], VERBS[i % 2]
        clauses = [
            f"the {draw.choice(subjects)} {draw.choice(verbs)} {draw.choice(PLACES)}"
            for _ in range(1 + i % 3)
        ]
        texts.append((" and ".join(clauses), i % 2))
    return open_data(texts)
