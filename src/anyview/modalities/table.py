"""Tables: numbers scaled by their quartiles, categories as codes; an MLP unless tokens are hidden."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from anyview.data.batch import Payload
from anyview.data.source import Source
from anyview.data.table.columns import KNOWN
from anyview.data.table.rows import names
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.table import multi_crop, multi_view, plain_view, two_views


class Table(Modality):
    name = "table"
    views = {"two_views": two_views, "multi_view": multi_view, "multi_crop": multi_crop, "tokens": plain_view}
    protocols = ("fewshot", "linear", "knn")
    unit = "rows"
    raw_name = "raw columns"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        return "transformer-nano" if needs == "tokens" else "mlp-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        return {
            "edges": [list(feature["edges"]) for feature in spec["numeric"]],
            "sizes": [KNOWN + len(feature["values"]) for feature in spec["categorical"]],
        }

    def inputs(self, x: Payload, spec: Spec) -> Payload:
        return x

    def raw(self, train: Source, spec: Spec) -> Raw:
        """Scaled numbers, zero where missing, with a flag; categories one-hot."""
        sizes = self.input(spec)["sizes"]

        def features(x: Payload) -> Tensor:
            gone = x["numeric"].isnan()
            hot = [one_hot(code, size).float() for code, size in zip(x["categorical"].unbind(1), sizes)]
            return torch.cat([x["numeric"].masked_fill(gone, 0.0), gone.float(), *hot], 1)

        return features

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        """The columns as they were read: what is missing is None, and a value that was not learned from is "other"."""
        numbers = {
            f["name"]: [None if v != v else v * f["spread"] + f["middle"] for v in column.tolist()]
            for f, column in zip(spec["numeric"], x["numeric"].unbind(1))
        }
        values = {
            f["name"]: [[None, "other", *f["values"]][code] for code in column.tolist()]
            for f, column in zip(spec["categorical"], x["categorical"].unbind(1))
        }
        return numbers | values

    def describe(self, spec: Spec) -> str:
        numbers, categories = len(spec["numeric"]), len(spec["categorical"])
        return f"table of {len(names(spec))} columns ({numbers} numeric, {categories} categorical)"


MODALITY = Table()
