"""The pretraining systems, one file each, in folders by family."""

from anyview.methods.base import Method

__all__ = ["Method"]
