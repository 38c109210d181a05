"""What a modality brings, so that no method ever asks which one it sees."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from anyview.data.batch import Batch, Payload, Ragged
from anyview.data.source import Source
from anyview.encoders import registry
from anyview.encoders.base import Encoder
from anyview.errors import InputError
from anyview.views.base import Views

Spec = dict[str, Any]  # what one sample looks like, in JSON's types; written by the reader
Raw = Callable[[Payload], Float[Tensor, "batch features"]]


class Modality:
    """Reader, views, encoder and baselines of one modality; one instance each, in ``modalities/``."""

    name: str
    #: what methods may need -> function of (spec, **options) that makes the views; its signature is the options
    views: dict[str, Callable[..., Views]]
    #: what methods may need and this modality cannot give -> why, to end "text data cannot give it: ..."
    cannot: Mapping[str, str] = {}
    #: what may happen to a sample -> function of (payload, strength from 1 to 5) that does it, for ``robustness``
    corruptions: Mapping[str, Callable[[Payload, int], Payload]] = {}
    protocols: tuple[str, ...]  #: how embeddings are judged by classes unless the user says otherwise
    unit: str  #: what samples are called: images, sentences, recordings
    raw_name: str  #: what raw features are called in tables

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """Name of the encoder taken when the user names none."""
        raise NotImplementedError

    def input(self, spec: Spec) -> dict[str, Any]:
        """What a network must know of a sample to be built (shape, vocabulary size), in JSON's types."""
        raise NotImplementedError

    def encoder(self, name: str, spec: Spec, **options: Any) -> Encoder:
        """Builds an encoder by name for samples of this spec."""
        return registry.build(name, {"modality": self.name, **self.input(spec)}, **options)

    def demanded(self, encoder: str) -> Spec | None:
        """The spec that data must be read by for an encoder that was made elsewhere and brings its own, such as
        a vocabulary; None for those that follow the data."""
        return None

    def given_to_functions(self, spec: Spec) -> tuple[Spec, Callable[[Payload], Any]]:
        """For a function that somebody wrote: the spec by which data lose nothing, and what it is given for inputs."""
        return spec, lambda x: x.unpack() if isinstance(x, Ragged) else x

    def given_to_files(self, spec: Spec, folder: Path) -> tuple[Spec, Callable[[Payload], tuple[Any, ...]]]:
        """For a network that lies in ``folder``: the spec by which data must be read, and what it is given for inputs.

        Raises:
            InputError: when something is missing beside it.
        """
        return spec, lambda x: (x,)

    def seen(self, spec: Spec, view_options: dict[str, Any]) -> Spec:
        """The spec of samples as views leave them and the encoder sees them."""
        return spec

    def batch_size(self, spec: Spec, samples: int) -> int | None:
        """The batch size taken when the user gives none; None leaves it to the number of samples."""
        return None

    def inputs(self, x: Payload, spec: Spec) -> Payload:
        """What the network sees outside training: the sample, whole and unchanged but for normalisation."""
        raise NotImplementedError

    def sides(self, x: Payload) -> tuple[Payload, Payload] | None:
        """The two sides of samples that are pairs (two sentences, an image and its caption), each of which
        ``inputs`` and the encoder take alone; None for samples that are no pairs."""
        return None

    def words(self, texts: list[str], spec: Spec) -> Payload | None:
        """Names of classes as the second side of pairs, so that samples can be classified by them; None where
        the second side is no text."""
        return None

    def raw(self, train: Source, spec: Spec) -> Raw:
        """Raw features, what an embedding must beat: a function of payloads, fitted on ``train`` where it needs
        to be (a vocabulary, a scale). Labels are not read."""
        raise NotImplementedError

    def describe(self, spec: Spec) -> str:
        """One sample in words, such as ``image 3 x 32 x 32``."""
        raise NotImplementedError

    def check(self, spec: Spec) -> None:
        """Raises KeyError, TypeError, ValueError or RuntimeError when ``spec`` describes no sample of this
        modality, as one from a broken file may not."""
        self.input(spec)
        self.describe(spec)

    def picture(self, x: Payload, spec: Spec) -> Tensor | None:
        """Network inputs as uint8 ``(batch, height, width, channels)`` for the report; None if there is none."""
        return None

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        """What a person reads or hears of samples, besides their picture: by name, a value each, which is a text, a
        number, or the bytes of a WAV file."""
        return {}

    def views_for(self, needs: str) -> Callable[..., Views]:
        """What makes the views that a method needs; InputError with the reason when there are none.

        ``one_view`` every modality has: the sample as the network sees it outside training.
        """
        if needs == "one_view" and needs not in self.views:
            return lambda spec: Unchanged(lambda x: self.inputs(x, spec))
        if needs not in self.views:
            why = self.cannot.get(needs)
            raise InputError(
                f"{self.name} data cannot give {needs.replace('_', ' ')}{f': {why}' if why else ''}"
            )
        return self.views[needs]


class Unchanged(Views):
    """One view: the sample itself, as ``inputs`` makes it."""

    count = 1

    def __init__(self, inputs: Callable[[Payload], Payload]) -> None:
        self.inputs = inputs

    def __call__(self, batch: Batch) -> list[Batch]:
        return [batch.with_x(self.inputs(batch.x))]
