import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nserbench.corpora.audio import audio_digest, read_audio
from nserbench.corpora.noise.mixing import (
    Recording,
    add_noise,
    measured_snr,
    mix,
    read_noise,
)
from nserbench.errors import BadAudio

WriteAudio = Callable[..., Path]
LEVELS = (-10.0, -5.0, 0.0, 5.0, 10.0)


def drawn(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def made_noise(samples: int = 8000, name: str = "park", seed: int = 1) -> Recording:
    wave = drawn(samples, seed)
    return Recording(name, Path(f"{name}.wav"), wave, audio_digest(wave))


def snr_by_hand(speech: NDArray[np.float32], mixed: NDArray[np.float32]) -> float:
    added = mixed.astype(np.float64) - speech
    return float(10 * np.log10(speech.astype(np.float64).var() / added.var()))


@pytest.mark.parametrize("snr", LEVELS)
def test_mix_has_the_snr_that_was_asked_for(snr: float) -> None:
    speech = drawn(16_000)

    mixed, _ = mix(speech, 3 * drawn(16_000, seed=1), snr)

    assert mixed.dtype == np.float32
    assert snr_by_hand(speech, mixed) == pytest.approx(snr, abs=0.01)


@pytest.mark.parametrize("snr", LEVELS)
@pytest.mark.parametrize(
    "name", ["human_coffeeshop", "park_birds", "traffic_cars", "domestic_dishes"]
)
def test_real_mix_has_the_snr_that_was_asked_for(
    test_data: Path, name: str, snr: float
) -> None:
    noise = read_noise(name, test_data / f"noise/{name}.flac")
    for file in sorted((test_data / "corpus/emodb/wav").glob("03*.flac"))[:8]:
        speech = read_audio(file)

        mixture = add_noise(speech, noise, file.stem, snr, seed=0)

        assert snr_by_hand(speech, mixture.wave) == pytest.approx(snr, abs=0.01)
        assert mixture.snr == pytest.approx(snr, abs=0.01)


def test_a_constant_offset_is_no_power() -> None:
    speech, noise = drawn(16_000), drawn(16_000, seed=1)

    mixed, gain = mix(speech, noise, 0.0)
    mixed_too, gain_too = mix(speech + np.float32(0.5), noise - np.float32(0.5), 0.0)

    assert gain_too == pytest.approx(gain, rel=1e-5)
    np.testing.assert_allclose(mixed_too, mixed + 0.5, atol=1e-5)


def test_noise_comes_without_its_mean() -> None:
    speech, noise = drawn(16_000), drawn(16_000, seed=1) + np.float32(0.5)

    mixed, _ = mix(speech, noise, 0.0)

    assert mixed.mean() == pytest.approx(speech.mean(), abs=1e-6)


def test_mix_is_neither_clipped_nor_scaled() -> None:
    speech, noise = 5 * drawn(16_000), drawn(16_000, seed=1)

    mixed, gain = mix(speech, noise, -10.0)

    assert np.abs(mixed).max() > 2
    np.testing.assert_allclose(
        mixed, speech + gain * (noise - noise.mean()), rtol=1e-5, atol=1e-6
    )


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="speech has 10 samples and noise 9"):
        mix(drawn(10), drawn(9), 0.0)


@pytest.mark.parametrize("silent", ["speech", "noise"])
def test_silence_has_no_snr(silent: str) -> None:
    waves = {"speech": drawn(10), "noise": drawn(10)}
    waves[silent] = np.full(10, 0.1, np.float32)

    with pytest.raises(ValueError, match=f"the {silent} is silent throughout"):
        mix(waves["speech"], waves["noise"], 0.0)
    with pytest.raises(ValueError, match=f"the {silent} is silent throughout"):
        measured_snr(waves["speech"], waves["noise"])


def test_every_level_gets_the_same_part() -> None:
    noise, speech = made_noise(), drawn(1000)

    mixtures = [add_noise(speech, noise, "u1", snr, seed=0) for snr in LEVELS]

    assert len({mixture.offset for mixture in mixtures}) == 1
    gains = [mixture.gain for mixture in mixtures]
    np.testing.assert_allclose(np.divide(gains[:-1], gains[1:]), 10 ** (5 / 20))


def test_mixture_says_what_was_done() -> None:
    noise, speech = made_noise(), drawn(1000)

    mixture = add_noise(speech, noise, "u1", 5.0, seed=3)

    part = noise.wave[mixture.offset :][:1000]
    assert mixture.offset == noise.offset("u1", 1000, seed=3)
    assert mixture.path == noise.path
    np.testing.assert_allclose(
        mixture.wave, speech + mixture.gain * (part - part.mean()), atol=1e-6
    )
    assert mixture.snr == pytest.approx(5.0, abs=1e-4)


def test_order_does_not_change_a_mix() -> None:
    noise = made_noise()
    clips = {f"u{number}": drawn(500 + number, number) for number in range(20)}

    forward = {
        name: add_noise(wave, noise, name, 0.0, seed=0) for name, wave in clips.items()
    }
    backward = {
        name: add_noise(clips[name], noise, name, 0.0, seed=0)
        for name in reversed(clips)
    }

    for name in clips:
        np.testing.assert_array_equal(forward[name].wave, backward[name].wave)


IN_ANOTHER_PROCESS = """
from pathlib import Path
from nserbench.corpora.audio import audio_digest, read_audio
from nserbench.corpora.noise.mixing import add_noise, read_noise

mixture = add_noise(
    read_audio(Path({speech!r})), read_noise("park", Path({noise!r})), "ü1", -5.0, 7
)
print(mixture.offset, mixture.gain.hex(), audio_digest(mixture.wave))
"""


def test_another_process_gives_the_same_mix(write_audio: WriteAudio) -> None:
    speech = write_audio("speech.wav", drawn(4000))
    noise = write_audio("noise.wav", drawn(48_000, seed=1), 44_100)
    script = IN_ANOTHER_PROCESS.format(speech=str(speech), noise=str(noise))

    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()

    here = add_noise(read_audio(speech), read_noise("park", noise), "ü1", -5.0, 7)
    assert printed == [str(here.offset), here.gain.hex(), audio_digest(here.wave)]


def test_offset_is_what_the_documented_hash_gives() -> None:
    # By `printf '["u1", "park", 0]' | b2sum -l 64`, modulo 7001 offsets.
    assert made_noise().offset("u1", 1000, seed=0) == 1162


def test_offset_depends_on_utterance_noise_and_seed() -> None:
    park, human = made_noise(400_000), made_noise(400_000, name="human")

    offsets = {
        park.offset("u1", 1000, seed=0),
        park.offset("u2", 1000, seed=0),
        park.offset("u1", 1000, seed=1),
        human.offset("u1", 1000, seed=0),
    }

    assert len(offsets) == 4


def test_offsets_are_uniform_over_all_places() -> None:
    noise = made_noise(1009)

    offsets = [noise.offset(f"u{number}", 1000, seed=0) for number in range(10_000)]

    counts = np.bincount(offsets)
    assert len(counts) == 10  # the last place is used, none beyond
    np.testing.assert_allclose(counts, 1000, rtol=0.12)  # 4 standard deviations


def test_noise_of_the_clips_length_starts_at_its_beginning() -> None:
    assert made_noise(1000).offset("u1", 1000, seed=0) == 0


def test_segment_keeps_its_mean() -> None:
    noise = made_noise()

    np.testing.assert_array_equal(noise.segment(100, 50), noise.wave[100:150])


def test_short_noise_is_looped_with_one_warning(
    caplog: pytest.LogCaptureFixture, write_audio: WriteAudio
) -> None:
    noise = read_noise("short", write_audio("short.wav", drawn(100)))

    with caplog.at_level(logging.WARNING):
        looped = noise.segment(30, 250)
        noise.segment(0, 250)

    np.testing.assert_array_equal(looped, np.tile(noise.wave, 3)[30:280])
    (record,) = caplog.records
    assert record.message == (
        "noise 'short' is looped: some utterances last longer than the 0.006 s of "
        f"{noise.path}"
    )


def test_short_noise_may_start_anywhere() -> None:
    noise = made_noise(10)

    offsets = {noise.offset(f"u{number}", 50, seed=0) for number in range(200)}

    assert offsets == set(range(10))


def test_long_noise_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    made_noise(1000, name="long").segment(0, 1000)

    assert not caplog.records


def test_a_gap_in_the_noise_is_named_with_its_seconds() -> None:
    wave = drawn(32_000)
    wave[16_000:20_000] = 0
    noise = Recording("gappy", Path("gappy.wav"), wave, audio_digest(wave))

    with pytest.raises(BadAudio) as caught:
        noise.segment(16_800, 1600)

    assert str(caught.value) == (
        "gappy.wav is silent for 0.100 s from 1.050 s on; "
        "use a file without gaps for noise 'gappy'"
    )


def test_unusable_noise_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadAudio) as caught:
        read_noise("park", tmp_path / "park.wav")

    assert str(caught.value) == (
        f"{tmp_path}/park.wav cannot be read (No such file or directory); "
        "use another file for noise 'park'"
    )


def test_digest_of_a_noise_is_that_of_its_samples(write_audio: WriteAudio) -> None:
    one = read_noise("a", write_audio("a.wav", drawn(100)))
    moved = read_noise("b", write_audio("elsewhere/b.wav", drawn(100)))
    changed = read_noise("a", write_audio("c.wav", drawn(100, seed=1)))

    assert one.digest == moved.digest != changed.digest


def test_noise_that_is_amplified_by_more_than_60_db_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, write_audio: WriteAudio
) -> None:
    ticks = np.zeros(3200, np.float32)
    ticks[::50] = 2.0**-15
    loud = np.concatenate([drawn(3200), ticks])
    noise = read_noise("ticks", write_audio("ticks.wav", loud))
    speech = drawn(2000)

    with caplog.at_level(logging.WARNING):
        offsets = [add_noise(speech, noise, f"u{n}", 0.0, 0).offset for n in range(20)]

    assert any(offset > 3200 for offset in offsets)
    (record,) = caplog.records
    found = re.search(r"amplified by (\d+) dB for (u\d+)", record.message)
    assert found is not None
    assert found[1] == "87"  # 0.1 (RMS) over 2 ** -15 / sqrt(50)
    assert f"{noise.path} is almost silent from" in record.message


def test_a_quiet_noise_is_warned_of_where_it_is_read(
    caplog: pytest.LogCaptureFixture, write_audio: WriteAudio
) -> None:
    path = write_audio("quiet.wav", drawn(1600) * np.float32(1e-5))

    with caplog.at_level(logging.WARNING):
        read_noise("quiet", path)
        read_noise("quiet", path)

    (record,) = caplog.records
    assert "noise 'quiet': RMS under -80 dBFS" in record.message
    assert f"{path} (-120." in record.message
