from pathlib import Path

import numpy as np
import pytest
import soundfile

from nserbench.corpora.noise.mixing import mix
from nserbench.corpora.tools.wada_snr import SNRS, curve, wada_snr

# Of Kim and Stern's own table, which they simulated, at -20, -10, ... 60 dB.
PUBLISHED = {
    -20: 0.40974774,
    -10: 0.41231718,
    0: 0.46221153,
    10: 0.66750818,
    20: 0.95655449,
    30: 1.19703503,
    40: 1.3605727,
    50: 1.46669568,
    60: 1.53389835,
}


def gaussian(samples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=samples).astype(np.float32)


def gamma_speech(samples: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], samples)
    return (signs * rng.gamma(0.4, 1.0, samples)).astype(np.float32)


def test_the_curve_is_the_published_one_and_rises() -> None:
    found = dict(zip(SNRS.tolist(), curve().tolist(), strict=True))

    for level, value in PUBLISHED.items():
        assert found[level] == pytest.approx(value, abs=0.005)
    assert (np.diff(curve()) > 0).all()


@pytest.mark.parametrize("level", [-5, 0, 5, 10, 20, 30, 40])
def test_mixtures_as_the_paper_assumes_are_estimated_to_1_db(level: float) -> None:
    mixture, _ = mix(gamma_speech(80_000), gaussian(80_000, 1), level)

    assert wada_snr(0.1 * mixture + 0.3) == pytest.approx(level, abs=1.0)


@pytest.mark.parametrize("level", [-5, 0, 5, 10])
def test_real_speech_in_white_noise_is_estimated_to_1_db_in_the_median(
    test_data: Path, level: float
) -> None:
    files = sorted((test_data / "corpus/emodb").rglob("*.flac"))[::16]
    waves = [soundfile.read(file, dtype="float32")[0] for file in files]

    found = [
        wada_snr(mix(wave, gaussian(len(wave), seed), level)[0])
        for seed, wave in enumerate(waves)
    ]

    assert np.median(found) == pytest.approx(level, abs=1.0)


def test_digital_silence_in_the_pauses_changes_nothing() -> None:
    mixture, _ = mix(gamma_speech(40_000), gaussian(40_000, 1), 10.0)
    pauses = np.zeros(40_000, np.float32)

    with_pauses = wada_snr(np.concatenate([mixture, pauses]))

    assert with_pauses == pytest.approx(wada_snr(mixture), abs=1e-6)
