"""The audio modality keeps its promises to methods, evaluation and the report."""

import pytest
import torch

from anyview.data.batch import Ragged
from anyview.data.source import MemorySource
from anyview.errors import InputError
from anyview.modalities import modality

SPEC = {
    "rate": 8000, "mels": 40, "mean": [-10.0] * 40, "std": [3.0] * 40, "seconds": [0.05, 0.4, 0.6],
}  # fmt: skip


def recordings(*lengths: int) -> Ragged:
    return Ragged.of([(3000 * torch.randn(n)).to(torch.int16) for n in lengths])


def test_raw_features_are_two_numbers_a_band_and_do_not_see_the_batch():
    x = recordings(400, 4000, 300)
    raw = modality("audio").raw(MemorySource("audio", SPEC, x), SPEC)
    together = raw(x)
    assert together.shape == (3, 80)
    torch.testing.assert_close(raw(x[torch.tensor([2])]), together[2:], atol=1e-5, rtol=1e-5)
    louder = raw(Ragged(2 * x.values, x.length))
    torch.testing.assert_close(
        louder, together, atol=1e-4, rtol=1e-4
    )  # how near the microphone was says nothing


def test_pictures_are_spectrograms_with_what_is_hidden():
    audio, x = modality("audio"), recordings(400, 4000)
    wave = audio.inputs(x, SPEC)
    plain = audio.picture(wave, SPEC)
    assert plain.shape == (2, 40, 60, 1)
    assert plain.dtype == torch.uint8
    assert (plain[0, :, 10:] == 0).all()
    one = torch.tensor([[[0.0, 0.5]]] * 2)
    hidden = audio.picture({"wave": wave, "time": one, "mel": torch.zeros(2, 0, 2)}, SPEC)
    assert (hidden[1, :, :15] == 128).all()
    assert torch.equal(hidden[1, :, 30:], plain[1, :, 30:])


def test_a_low_tone_is_drawn_below():
    time = torch.arange(4000) / 8000
    low = modality("audio").picture(Ragged.of([0.5 * torch.sin(2 * torch.pi * 150 * time)]), SPEC)
    rows = low[0, :, :40, 0].float().mean(1)
    assert rows[:20].mean() < rows[20:].mean()


def test_every_default_encoder_reads_what_the_modality_gives():
    audio = modality("audio")
    for needs in (*audio.views, "anything"):
        name = audio.default_encoder(SPEC, 1000, needs)
        encoder = audio.encoder(name, SPEC).eval()
        assert encoder(audio.inputs(recordings(300, 900), SPEC)).shape == (2, encoder.dim)
    assert audio.encoder(audio.default_encoder(SPEC, 1000, "tokens"), SPEC).can_drop


def test_it_says_what_it_cannot_and_what_samples_are():
    audio = modality("audio")
    with pytest.raises(InputError, match="cannot give"):
        audio.views_for("pair")
    assert audio.describe(SPEC) == "audio of 8,000 samples a second, 0.05 to 0.6 s (median 0.4)"
    assert audio.describe({**SPEC, "seconds": [5.0, 5.0, 5.0]}) == "audio of 8,000 samples a second, 5 s"
    audio.check(SPEC)
    with pytest.raises((KeyError, TypeError, ValueError, RuntimeError)):
        audio.check({**SPEC, "mean": [0.0] * 7})
