"""Event logs: histories of entities; a small recurrent network unless tokens are hidden."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.batch import Payload, Ragged
from anyview.data.source import Source
from anyview.data.table.columns import KNOWN
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.events import multi_crop, multi_view, plain_view, two_views


class Events(Modality):
    name = "events"
    views = {"two_views": two_views, "multi_view": multi_view, "multi_crop": multi_crop, "tokens": plain_view}
    protocols = ("fewshot", "linear", "knn")
    unit = "histories"
    raw_name = "counts and aggregates"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        return "transformer-nano" if needs == "tokens" else "gru-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        return {
            "edges": [list(feature["edges"]) for feature in spec["numeric"]],
            "sizes": [KNOWN + len(feature["values"]) for feature in spec["categorical"]],
            "main": spec["main"],
            "gap": spec["time"]["gap"],
            "dated": spec["time"]["dated"],
            "longest": spec["most"],
        }

    def batch_size(self, spec: Spec, samples: int) -> int | None:
        """Smaller than for other data: a history is many samples' worth of work."""
        return min(64, samples)

    def inputs(self, x: Payload, spec: Spec) -> Payload:
        return x

    def raw(self, train: Source, spec: Spec) -> Raw:
        """Of each history: how many events, how long, the usual gap; mean, deviation, least and most of every
        number; the share of every category."""
        sizes, gap = self.input(spec)["sizes"], spec["time"]["gap"]

        def features(x: Payload) -> Tensor:
            time, length = x["time"], x["time"].length
            last = time.starts + length - 1
            span = (time.values[last] - time.values[time.starts]) / gap
            count = length.to(span.dtype)
            out = [count.log(), span.log1p(), (span / count).log1p()]
            for values in x["numeric"].values.unbind(1):
                out += aggregates(Ragged(values, length))
            owner = torch.arange(len(length), device=length.device).repeat_interleave(length)
            for code, size in zip(x["categorical"].values.unbind(1), sizes):
                bins = torch.bincount(owner * size + code, minlength=len(length) * size)
                out.append((bins.view(len(length), size) / count[:, None]).to(span.dtype))
            return torch.cat([f if f.ndim == 2 else f[:, None] for f in out], 1)

        return features

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        """How many events, and from the first to the last of them, in days where they are dated."""
        time = x["time"]
        span = time.values[time.starts + time.length - 1] - time.values[time.starts]
        return {"events": time.length.tolist(), "span": span.tolist()}

    def describe(self, spec: Spec) -> str:
        numbers, categories = len(spec["numeric"]), len(spec["categorical"])
        return f"events by {spec['entity']} with {numbers} numeric and {categories} categorical fields"


def aggregates(values: Ragged) -> list[Tensor]:
    """Mean, deviation, least and most of what is known of each sample, zero where nothing is, and the share that
    is not."""
    length, known = values.length, ~values.values.isnan()
    owner = torch.arange(len(length), device=length.device).repeat_interleave(length)[known]
    x = values.values[known]
    zero = x.new_zeros(len(length))
    count = zero.index_add(0, owner, torch.ones_like(x))
    mean = zero.index_add(0, owner, x) / count.clamp(min=1)
    deviation = (zero.index_add(0, owner, (x - mean[owner]).square()) / count.clamp(min=1)).sqrt()
    x = values.values.masked_fill(~known, torch.inf)
    least = Ragged(x, length).padded(torch.inf)[0].amin(1)
    most = -Ragged(torch.where(known, -x, x), length).padded(torch.inf)[0].amin(1)
    least, most = (torch.where(count > 0, extreme, 0.0) for extreme in (least, most))
    return [mean, deviation, least, most, 1 - count / length]


MODALITY = Events()
