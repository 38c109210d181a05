"""Audio and speech: mono waveforms of any length at one rate; small networks on the log-mel spectrogram."""

from typing import Any

import torch
from torch import Tensor

from anyview.data.audio.logmel import HOP, LogMel, statistics, waveforms
from anyview.data.audio.waves import wav
from anyview.data.batch import Payload, Ragged, payload_map
from anyview.data.source import Source
from anyview.modalities.base import Modality, Raw, Spec
from anyview.views.audio import heard, hide, multi_crop, multi_view, plain_view, two_views

PICTURED = 256  #: frames that a picture shows at most


class Audio(Modality):
    name = "audio"
    views = {"two_views": two_views, "multi_view": multi_view, "multi_crop": multi_crop, "tokens": plain_view}
    cannot = {"pair": "a recording is one sample, not two that belong together"}
    protocols = ("fewshot", "linear", "knn")
    unit = "recordings"
    raw_name = "log-mel statistics"

    def default_encoder(self, spec: Spec, samples: int, needs: str) -> str:
        """A transformer for methods that hide tokens, else a convolutional network on the spectrogram; small
        ones on a processor without an accelerator."""
        quick = torch.cuda.is_available() and samples >= 10_000
        if needs == "tokens":
            return "transformer-tiny" if quick else "transformer-nano"
        return "melconv-m" if quick else "melconv-s"

    def input(self, spec: Spec) -> dict[str, Any]:
        frames = [max(1, round(seconds / HOP)) for seconds in spec["seconds"][1:]]
        return {k: spec[k] for k in ("rate", "mels", "mean", "std")} | {"frames": frames}

    def inputs(self, x: Ragged, spec: Spec) -> Ragged:
        return waveforms(x)

    def raw(self, train: Source, spec: Spec) -> Raw:
        """Mean and deviation over time of each mel band, normalised by train."""
        front = self._front(spec)

        def raw(x: Ragged) -> Tensor:
            return statistics(front.to(x.values.device)(waveforms(x)))

        return raw

    def describe(self, spec: Spec) -> str:
        shortest, median, longest = spec["seconds"]
        rate = f"audio of {spec['rate']:,} samples a second"
        if longest - shortest < 0.05:
            return f"{rate}, {longest:.2g} s"
        return f"{rate}, {shortest:.2g} to {longest:.2g} s (median {median:.2g})"

    def check(self, spec: Spec) -> None:
        super().check(spec)
        self._front(spec)(Ragged(torch.zeros(100), torch.tensor([100])))

    def picture(self, x: Payload, spec: Spec) -> Tensor:
        """Log-mel spectrograms, low bands below, two deviations around the mean from black to white; all as
        wide as the longest recording, and ``PICTURED`` frames at most."""
        wave, time, mel = heard(payload_map(x, lambda leaf: leaf.to("cpu")))
        frames = hide(self._front(spec)(Ragged(wave.values.detach().float(), wave.length)), time, mel)
        width = min(PICTURED, self.input(spec)["frames"][1])
        gray = ((frames.padded(-2.0)[0][:, :width] / 4 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        gray = torch.nn.functional.pad(gray, (0, 0, 0, width - gray.shape[1]))
        return gray.transpose(1, 2).flip(1)[..., None].contiguous()

    def told(self, x: Payload, spec: Spec) -> dict[str, list[Any]]:
        return {"sound": [wav(one, spec["rate"]) for one in x.to("cpu").unpack()]}

    def _front(self, spec: Spec) -> LogMel:
        return LogMel(spec["rate"], spec["mels"], spec["mean"], spec["std"])


MODALITY = Audio()
