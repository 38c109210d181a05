"""Recordings, good and bad: decoding, recognition, spectrograms."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.fft
import torch

import anyview.data as data
from anyview.data.audio.items import is_audio
from anyview.data.audio.logmel import FLOOR, LogMel, bands, mean_over, mel_filters, statistics, waveforms
from anyview.data.batch import Ragged
from anyview.data.readers import audio as reader
from anyview.errors import InputError

sf = pytest.importorskip("soundfile", reason="soundfile is not installed")


def tone(seconds: float = 0.3, rate: int = 8000, pitch: float = 440.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def write(name: str, wave: np.ndarray, rate: int = 8000, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, wave, rate, **options)
        return path

    return write


def everything(source) -> Ragged:
    return source.fetch(torch.arange(len(source))).x


# ---- what is read


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_format_gives_the_same_sound(write, ending, tmp_path):
    wave = tone(1.0, 16000)
    write(f"a.{ending}", wave, 16000)
    found = data.open(tmp_path)
    (x,) = everything(found.train).unpack()
    assert found.modality == "audio"
    assert x.dtype == torch.int16
    assert abs(len(x) - 16000) <= 2400  # some formats pad
    spectrum = np.abs(np.fft.rfft(x.float().numpy()[2000:10000] / 32768))
    assert abs(spectrum.argmax() * 2 - 440) <= 2
    assert abs(x.float().abs().max() / 32768 - 0.5) < 0.05


def test_sub_folders_are_classes_and_splits_are_found(write, tmp_path):
    for name in ("train/cat/a.wav", "train/dog/b.wav", "test/dog/c.wav"):
        write(name, tone())
    found = data.open(tmp_path)
    assert found.label_names == ["cat", "dog"]
    assert found.train.label.tolist() == [0, 1]
    assert found.split("test").label.tolist() == [1]
    assert found.split("test").spec is found.train.spec


def test_stereo_is_mixed_and_rates_are_brought_to_the_commonest(write, tmp_path):
    write("a.wav", np.stack([tone(), np.zeros_like(tone())], 1))
    write("b.wav", tone())
    write("c.wav", tone(rate=44100), 44100)
    found = data.open(tmp_path)
    assert found.spec["rate"] == 8000
    stereo, mono, slow = (x.float() / 32768 for x in everything(found.train).unpack())
    assert torch.allclose(stereo, mono / 2, atol=1e-4)
    assert abs(len(slow) - len(mono)) <= 1
    middle = slice(400, 2000)
    assert torch.allclose(slow[middle], mono[middle], atol=2e-3)
    assert any("8,000 to 44,100 samples a second, resampled to 8,000" in fact for fact in found.describe())


def test_high_rates_come_down_unless_a_size_is_given(write, tmp_path):
    write("a.wav", tone(rate=44100), 44100)
    assert data.open(tmp_path).spec["rate"] == 16000
    assert data.open(tmp_path, size=22050).spec["rate"] == 22050
    with pytest.raises(InputError, match="samples a second"):
        data.open(tmp_path, size=64)


def test_what_was_opened_before_decides_how_other_data_is_read(write, tmp_path):
    write("one/a.wav", tone())
    write("two/b.wav", tone(rate=16000, level=0.01), 16000)
    first = data.open(tmp_path / "one")
    second = data.open(tmp_path / "two", like=first.spec)
    assert second.spec == first.spec
    assert len(everything(second.train).values) == 2400


def test_parquet_with_audio_is_audio_with_and_without_metadata(write, tmp_path):
    raw = [write(f"x/{i}.flac", tone(pitch=300 + 100 * i)).read_bytes() for i in range(3)]
    table = pa.table(
        {
            "audio": [{"bytes": b, "path": "x.flac"} for b in raw],
            "text": ["a", "b", "c"],
            "label": [1, 0, 1],
            "speaker": ["me", "you", "me"],
        }
    )
    folder = tmp_path / "set"
    folder.mkdir()
    pq.write_table(table, folder / "train.parquet")
    found = data.open(folder)
    assert found.modality == "audio"
    assert found.train.label.tolist() == [1, 0, 1]
    assert data.open(folder, label="speaker").label_names == ["me", "you"]
    with pytest.raises(InputError, match='no column "speakr"; did you mean "speaker"'):
        data.open(folder, label="speakr")


def test_arrays_and_lists_are_audio_when_asked_for(write):
    waves = np.stack([tone(), tone(pitch=700)])
    found = data.open((waves, [0, 1]), modality="audio", size=8000)
    assert torch.allclose(everything(found.train).unpack()[0] / 32768, torch.tensor(tone()), atol=1e-4)
    assert found.train.label.tolist() == [0, 1]
    ragged = data.open([(tone(0.1), "a"), (tone(0.2), "b")], modality="audio", size=8000)
    assert everything(ragged.train).length.tolist() == [800, 1600]
    assert ragged.label_names == ["a", "b"]
    decoded = data.open([{"audio": {"array": tone(), "sampling_rate": 8000}, "label": 3}] * 2)
    assert (decoded.modality, decoded.spec["rate"]) == ("audio", 8000)
    whole = (32767 * tone()).astype(np.int16)
    same = everything(data.open([whole], modality="audio", size=8000).train).values
    assert (same - torch.from_numpy(whole)).abs().max() <= 1


def test_bytes_are_recognised():
    for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF"):
        file = io.BytesIO()
        sf.write(file, tone(0.5, 16000), 16000, format=kind)
        assert is_audio(file.getvalue()), kind
    for other in (b"", b"\xff\xd8\xff\xe0jpeg", b"\x89PNG\r\n", b"RIFF0000WEBP", b"RIFF0000AVI ", b"hello"):
        assert not is_audio(other)


# ---- what cannot be read


def test_broken_empty_and_silent_files_are_left_out_with_reasons(write, tmp_path):
    write("good.wav", tone())
    (tmp_path / "text.wav").write_text("this is no sound at all")
    (tmp_path / "nothing.flac").write_bytes(b"")
    whole = write("whole.flac", tone(2.0)).read_bytes()
    (tmp_path / "whole.flac").unlink()
    (tmp_path / "cut.flac").write_bytes(whole[:60])
    (tmp_path / "notes.txt").write_text("notes")
    write("empty.wav", np.zeros(0, np.float32))
    write("silent.wav", np.zeros(4000, np.float32))
    write("nan.wav", np.full(4000, np.nan, np.float32), subtype="FLOAT")
    found = data.open(tmp_path)
    assert len(found.train) == 1
    reasons = {entry.path.rsplit("/", 1)[1]: entry.reason for entry in found.skipped}
    assert set(reasons) == {
        *("text.wav", "nothing.flac", "cut.flac", "notes.txt", "empty.wav", "silent.wav", "nan.wav"),
    }
    assert reasons["empty.wav"] == "holds no samples"
    assert reasons["silent.wav"] == "is silence throughout"
    assert reasons["nan.wav"] == "holds NaN or infinity"
    assert reasons["notes.txt"] == "is no audio file"
    assert all("\n" not in reason for reason in reasons.values())
    assert any("7 left out" in fact for fact in found.describe())


def test_nothing_readable_is_one_line(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(InputError, match=r"none could be read as audio .*Give a folder with recordings") as e:
        data.open(tmp_path)
    assert "\n" not in str(e.value)
    with pytest.raises(InputError, match="holds no waveforms"):
        data.open(np.zeros((2, 3, 4)), modality="audio")


def test_absurdly_long_files_are_cut_and_counted(write, tmp_path, monkeypatch):
    for module in ("anyview.data.audio.waves", "anyview.data.readers.audio"):
        monkeypatch.setattr(f"{module}.MAX_SECONDS", 1)
    write("long.wav", tone(3.0))
    write("short.wav", tone(0.5))
    found = data.open(tmp_path)
    assert everything(found.train).length.tolist() == [8000, 4000]
    assert any("1 longer than 1 s, cut there" in fact for fact in found.describe())
    assert found.spec["seconds"][2] == 1.0


def test_amplitudes_beyond_full_scale_are_scaled_not_clipped(write, tmp_path):
    write("loud.wav", tone(level=4.0), subtype="FLOAT")
    x = everything(data.open(tmp_path).train).values.float() / 32768
    assert torch.allclose(x, torch.tensor(tone(level=1.0)), atol=2e-3)


def test_too_low_a_rate_is_no_sound(write, tmp_path):
    write("a.wav", tone(rate=500, pitch=20), 500)
    with pytest.raises(InputError, match="--modality series"):
        data.open(tmp_path)


def test_streaming_gives_what_is_held_and_stands_in_for_what_breaks(write, tmp_path, monkeypatch):
    for i in range(4):
        write(f"{i}.wav", tone(0.1 + 0.1 * i))
    write("4.wav", np.zeros(900, np.float32))
    held = data.open(tmp_path)
    monkeypatch.setattr(reader, "MAX_HELD_BYTES", 0)
    streamed = data.open(tmp_path)
    assert not streamed.train.in_memory
    assert "decoded while they are used" in streamed.describe()
    one, two = everything(held.train), streamed.train.fetch(torch.arange(4)).x
    assert torch.equal(one.values, two.values)
    assert torch.equal(one.length, two.length)
    batch = streamed.train.fetch(torch.tensor([4]))  # silent: shows only now
    assert batch.index.tolist() == [0]
    assert [entry.reason for entry in streamed.skipped] == ["is silence throughout"]


def test_a_missing_library_is_named_with_its_command(write, tmp_path, monkeypatch):
    write("a.wav", tone())
    monkeypatch.setitem(__import__("sys").modules, "soxr", None)
    with pytest.raises(InputError, match=r'pip install "anyview\[audio\]"'):
        data.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "rate", "count"), [("fsdd", 8000, 2700), ("esc10", 16000, 240), ("asterisk_prompts", 8000, 1040)]
)
def test_shared_sets_open_by_name(shared_data, name, rate, count):
    found = data.open(name)
    assert (found.modality, found.spec["rate"], len(found.train)) == ("audio", rate, count)
    assert not found.skipped
    assert found.train.label is not None


# ---- spectrograms


def by_formula(wave: np.ndarray, rate: int, mels: int) -> np.ndarray:
    """Frame by frame from the definitions: Hann window, DFT, HTK triangles, logarithm."""
    window, hop = round(0.025 * rate), round(0.010 * rate)
    size = 1 << (window - 1).bit_length()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    points = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + rate / 2 / 700), mels + 2)
    corners = 700 * (10 ** (points / 2595) - 1)
    wave = np.pad(wave, (0, max(0, window - len(wave))))
    rows = []
    for start in range(0, len(wave) - window + 1, hop):
        power = np.abs(scipy.fft.fft(wave[start : start + window] * hann / hann.sum(), size)) ** 2
        row = []
        for m in range(mels):
            weight = np.interp(
                np.arange(size // 2 + 1) * rate / size, corners[m : m + 3], [0, 1, 0], left=0, right=0
            )
            row.append(np.log((weight * power[: size // 2 + 1]).sum() + FLOOR))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(("rate", "mels"), [(8000, 40), (16000, 64), (11025, 20)])
def test_log_mel_is_what_the_formula_says(rate, mels):
    rng = np.random.default_rng(0)
    waves = [0.3 * rng.standard_normal(n).astype(np.float32) for n in (1, 50, 400, 1000, 4321)]
    x = Ragged.of([torch.from_numpy(wave) for wave in waves])
    found = LogMel(rate, mels)(x).unpack()
    for wave, frames in zip(waves, found):
        expected = by_formula(wave.astype(np.float64), rate, mels)
        assert frames.shape == expected.shape
        np.testing.assert_allclose(frames.numpy(), expected, atol=2e-3)


def test_power_is_that_of_torch_stft():
    wave = torch.randn(8000)
    front = LogMel(8000, 40)
    spectrum = torch.stft(
        torch.nn.functional.pad(wave, (28, 28)), front.size, front.hop, front.window,
        torch.hann_window(front.window) / torch.hann_window(front.window).sum(), center=False,
        return_complex=True,
    )  # fmt: skip
    expected = (spectrum.abs().square().T @ front.filters + FLOOR).log()
    found = front(Ragged.of([wave])).values
    torch.testing.assert_close(found, expected[: len(found)], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("rate", [2000, 4000, 8000, 11025, 16000, 22050, 44100, 48000, 192000])
def test_no_filter_is_empty_and_peaks_are_near_one(rate):
    front = LogMel(rate, bands(rate))
    assert (front.filters.sum(0) > 0.5).all()
    assert (front.filters.sum(1)[2:-2] <= 1 + 1e-6).all()  # triangles overlap by halves and sum to one
    fine = mel_filters(rate, 2**16, bands(rate))
    assert torch.allclose(fine.amax(0), torch.ones(bands(rate)), atol=0.05)


def test_a_tone_sounds_in_its_band_and_gain_moves_all_bands_alike():
    front, wave = LogMel(8000, 40), torch.tensor(tone(1.0, pitch=1000.0))
    x = front(Ragged.of([wave])).values.mean(0)
    corners = 700 * (10 ** (torch.linspace(31.7, 2146.1, 42) / 2595) - 1)
    assert abs(int(x.argmax()) - int((corners[1:-1] - 1000).abs().argmin())) <= 1
    noise = torch.randn(8000)
    loud, soft = (front(Ragged.of([g * noise])).values for g in (1.0, 0.1))
    torch.testing.assert_close(loud - soft, torch.full_like(loud, np.log(100)), atol=0.05, rtol=0)


def test_statistics_are_those_of_each_recording():
    frames = Ragged.of([torch.randn(n, 6) for n in (1, 5, 9)])
    expected = torch.stack([torch.cat([f.mean(0), f.var(0, correction=0).sqrt()]) for f in frames.unpack()])
    torch.testing.assert_close(statistics(frames), expected)
    torch.testing.assert_close(mean_over(frames), expected[:, :6])


def test_spec_normalises_the_bands_of_train(write, tmp_path):
    rng = np.random.default_rng(1)
    for i in range(5):
        write(f"{i}.wav", (0.1 * rng.standard_normal(4000)).astype(np.float32))
    found = data.open(tmp_path)
    spec = found.spec
    front = LogMel(spec["rate"], spec["mels"], spec["mean"], spec["std"])
    values = front(waveforms(everything(found.train))).values
    assert values.mean(0).abs().max() < 1e-2
    assert (values.std(0) - 1).abs().max() < 1e-2
