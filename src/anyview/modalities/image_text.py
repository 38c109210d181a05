"""Images with captions: two sides of one sample, each with its own encoder into one space."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Payload, payload_cat
from anyview.data.loader import batches
from anyview.data.source import MemorySource, Source
from anyview.data.text.vocabulary import numbers
from anyview.modalities.base import Modality, Raw, Spec
from anyview.modalities.image import MODALITY as IMAGE
from anyview.modalities.image import side
from anyview.modalities.text import MODALITY as TEXT
from anyview.views.image_text import multi_view, pair


class ImageText(Modality):
    name = "image_text"
    views = {"pair": pair, "two_views": pair, "multi_view": multi_view}
    cannot = {
        "tokens": "image and caption have an encoder each; pretrain on the images or the texts alone",
        "multi_crop": "a caption is too short to be cut into parts",
    }
    protocols = ("fewshot", "linear", "knn")
    unit = "pairs"
    raw_name = "raw pixels and words"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """Small towers up to 64 pixels and without an accelerator, else a ResNet-18."""
        quick = torch.cuda.is_available() and samples >= 10_000
        return "pair-m" if quick or side(spec["image"]) > 64 else "pair-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        return {kind.name: {"modality": kind.name, **kind.input(spec[kind.name])} for kind in (IMAGE, TEXT)}

    def seen(self, spec: Spec, view_options: dict[str, Any]) -> Spec:
        return {**spec, "image": IMAGE.seen(spec["image"], view_options)}

    def inputs(self, x: Payload, spec: Spec) -> Payload:
        """One side or both."""
        return {
            kind.name: kind.inputs(x[kind.name], spec[kind.name]) for kind in (IMAGE, TEXT) if kind.name in x
        }

    def sides(self, x: Payload) -> tuple[Payload, Payload] | None:
        return ({"image": x["image"]}, {"text": x["text"]}) if {"image", "text"} <= set(x) else None

    def words(self, texts: list[str], spec: Spec) -> Payload | None:
        return {"text": numbers(texts, spec["text"])[0]}

    def raw(self, train: Source, spec: Spec) -> Raw:
        """Pixels and words side by side, for classes of whole pairs; nothing raw compares image with text."""
        captions = payload_cat([batch.x["text"] for batch in batches(train, 1024)])
        words = TEXT.raw(MemorySource("text", spec["text"], captions), spec["text"])
        pixels = IMAGE.raw(train, spec["image"])
        return lambda x: torch.cat([pixels(x["image"]), words(x["text"])], 1)

    def describe(self, spec: Spec) -> str:
        return f"{IMAGE.describe(spec['image'])} with {TEXT.describe(spec['text'])}"

    def check(self, spec: Spec) -> None:
        IMAGE.check(spec["image"])
        TEXT.check(spec["text"])

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        return TEXT.told(x["text"], spec["text"]) if "text" in x else {}

    def picture(self, x: Payload, spec: Spec) -> Tensor | None:
        return IMAGE.picture(x["image"], spec["image"]) if "image" in x else None


MODALITY = ImageText()
