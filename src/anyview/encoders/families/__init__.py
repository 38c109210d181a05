"""Encoders by name, one file a family. A file put here is found by itself.

Each has ``BUILDERS``, name -> ``Builder``, and perhaps ``ADAPTERS``, prefix -> ``Builder`` for names such as
``timm:resnet18``. A module here imports no optional library before it builds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anyview.encoders.base import Encoder

Input = dict[str, Any]  # what a network must know of a sample, in JSON's types; see ``Modality.input``


@dataclass(frozen=True)
class Builder:
    """How an encoder is built.

    Attributes:
        build: ``(input, **options)`` -> encoder; its signature is the list of options. That of an adapter also
            takes ``model``, what stands after the prefix.
        modalities: what it reads; ``("any",)`` for all that are cut into tokens.
        published: of an adapter, the input that a network's published weights were trained on: ``size`` in pixels,
            and what of the spec it settles (mean and deviation of the channels).
    """

    build: Callable[..., Encoder]
    modalities: tuple[str, ...]
    published: Callable[[str], dict[str, Any]] | None = None
