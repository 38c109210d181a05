"""Text: sentences or documents as numbers of tokens; words by TF-IDF and SVD are what to beat."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Payload, Ragged
from anyview.data.loader import batches
from anyview.data.source import Source
from anyview.data.text.vocabulary import check, decode, exact_spec, framed, spec_of_file
from anyview.errors import InputError
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.text import check_text, multi_crop, multi_view, plain_view, two_views

TOKENIZER = "tokenizer.json"
RAW_DIM = 256  #: width of the raw features
FITTED = 50_000  #: texts that raw features are fitted on, spread over train


class Text(Modality):
    name = "text"
    views = {"two_views": two_views, "multi_view": multi_view, "multi_crop": multi_crop, "tokens": plain_view}
    protocols = ("fewshot", "linear", "knn")
    unit = "texts"
    raw_name = "TF-IDF + SVD"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """A transformer, a small one without an accelerator or with few texts."""
        return "transformer-tiny" if torch.cuda.is_available() and samples >= 100_000 else "transformer-nano"

    def demanded(self, encoder: str) -> Spec | None:
        """The tokenizer in the folder of a model of transformers."""
        prefix, _, name = encoder.partition(":")
        if prefix != "hf" or not name:
            return None
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise InputError(f"no folder {name}; give one that transformers or sentence-transformers saved")
        return spec_of_file(folder / TOKENIZER)

    def given_to_functions(self, spec: Spec) -> tuple[Spec, Callable[[Payload], list[str]]]:
        """The texts, letter by letter."""
        exact = exact_spec()
        return exact, lambda x: decode(x.to("cpu"), exact)

    def given_to_files(
        self, spec: Spec, folder: Path
    ) -> tuple[Spec, Callable[[Payload], tuple[Tensor, Tensor]]]:
        """Numbers of tokens, by the tokenizer beside the network, and which are valid, int64 both."""
        if not (folder / TOKENIZER).is_file():
            raise InputError(f"texts are read by a {TOKENIZER} beside the network; put it into {folder}/")
        own = spec_of_file(folder / TOKENIZER)

        def numbers(x: Payload) -> tuple[Tensor, Tensor]:
            ids, valid = framed(x, own)
            return ids, valid.long()

        return own, numbers

    def input(self, spec: Spec) -> dict[str, Any]:
        return {key: spec[key] for key in ("vocabulary", "max_length", "pad", "mask", "before", "after")}

    def inputs(self, x: Payload, spec: Spec) -> Ragged:
        check_text(x)
        return x

    def sides(self, x: Payload) -> tuple[Payload, Payload] | None:
        return (x["first"], x["second"]) if isinstance(x, dict) else None

    def raw(self, train: Source, spec: Spec) -> Raw:
        """TF-IDF of words and latent semantic analysis (Deerwester et al. 1990): a truncated SVD of it."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        texts = [text for batch in batches(_part(train), 1024) for text in self._texts(batch.x, spec)]
        words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[^\w\s]")
        table = words.fit_transform(texts)
        svd = TruncatedSVD(min(RAW_DIM, *(n - 1 for n in table.shape)), random_state=0).fit(table)

        def features(x: Payload) -> Tensor:
            return torch.from_numpy(svd.transform(words.transform(decode(x, spec)))).float()

        return features

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        both = x if isinstance(x, dict) else {"text": x}
        return {name: decode(side, spec) for name, side in both.items()}

    def _texts(self, x: Payload, spec: Spec) -> list[str]:
        return [text for side in self.sides(x) or (x,) for text in decode(side, spec)]

    def describe(self, spec: Spec) -> str:
        return f"text of {spec['vocabulary']:,} different tokens"

    def check(self, spec: Spec) -> None:
        check(spec)


def _part(source: Source) -> Source:
    """At most ``FITTED`` samples, spread over all."""
    step = -(-len(source) // FITTED)
    return source if step == 1 else source.take(torch.arange(0, len(source), step))


MODALITY = Text()
