"""What a modality brings, so that no method ever asks which one it sees."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

from anyview.data.batch import Payload
from anyview.encoders.base import Encoder
from anyview.views.base import Views

Spec = dict[str, Any]  # what one sample looks like, in JSON's types; written by the reader


class Modality:
    """Reader, views, encoder and baselines of one modality; one instance each, in ``modalities/``."""

    name: str
    #: what methods may need -> function of (spec, **options) that makes the views; its signature is the options
    views: dict[str, Callable[..., Views]]
    protocols: tuple[str, ...]  #: how embeddings are judged unless the user says otherwise
    unit: str  #: what samples are called: images, sentences, recordings
    raw_name: str  #: what raw features are called in tables

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """Name of the encoder taken when the user names none."""
        raise NotImplementedError

    def encoder(self, name: str, spec: Spec, **options: Any) -> Encoder:
        """Builds an encoder by name for samples of this spec."""
        raise NotImplementedError

    def seen(self, spec: Spec, view_options: dict[str, Any]) -> Spec:
        """The spec of samples as views leave them and the encoder sees them."""
        raise NotImplementedError

    def size(self, spec: Spec) -> int | None:
        """What ``open(size=...)`` needs to read other data as this was read, or None."""
        raise NotImplementedError

    def inputs(self, x: Payload, spec: Spec) -> Payload:
        """What the network sees outside training: the sample, whole and unchanged but for normalisation."""
        raise NotImplementedError

    def raw(self, x: Payload, spec: Spec) -> Float[Tensor, "batch features"]:
        """Raw features: what an embedding must beat."""
        raise NotImplementedError

    def describe(self, spec: Spec) -> str:
        """One sample in words, such as ``image 3 x 32 x 32``."""
        raise NotImplementedError

    def picture(self, x: Payload, spec: Spec) -> Tensor | None:
        """Network inputs as uint8 ``(batch, height, width, channels)`` for the report; None if there is none."""
        return None
