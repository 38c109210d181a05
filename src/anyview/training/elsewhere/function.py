"""A Python function, or a network of torch, that gives a vector a sample; from Python only."""

from anyview.training.elsewhere.base import Asked, Origin
from anyview.training.elsewhere.calls import of_function
from anyview.training.model import Model


def load(asked: Asked) -> Model:
    return of_function(asked, asked.name)


ORIGIN = Origin(("function",), load, ("size", "normalise"))
