"""Estimate the SNR of a recording from the recording alone (WADA)."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy import special

SHAPE = 0.4
"""Shape of the Gamma distribution of the amplitudes of clean speech."""
SNRS = np.arange(-20.0, 101.0)
"""SNRs in dB at which the curve is computed; estimates are interpolated."""

_QUANTILES = (np.arange(1000) + 0.5) / 1000


def wada_snr(wave: NDArray[np.float32]) -> float:
    """Estimate the signal-to-noise ratio by the distribution of amplitudes (WADA).

    Kim and Stern, Robust signal-to-noise ratio estimation based on waveform amplitude
    distribution analysis, Interspeech 2008. It assumes that the amplitudes of
    clean speech have a Gamma distribution with shape 0.4, and that noise is Gaussian.
    On such mixtures it is right to 1 dB from -5 to 40 dB. On EmoDB with white noise the
    median of 43 clips is right to 1 dB from -10 to 10 dB, and 3 dB too low at 20 dB; a
    single clip is off by 1 to 4 dB. Birdsong, music and other noise with peaks counts
    as speech. So compare corpora by it, not clips.

    The curve is computed. The authors simulated it; the two differ by less than 0.005.

    Args:
        wave: ``(samples,)``, not silent. A constant offset is removed.

    Returns:
        SNR in dB, from -20 to 100.
    """
    samples = wave[wave != 0].astype(np.float64)  # digital silence is not noise
    sizes = np.abs(samples - samples.mean())
    sizes = sizes[sizes > 0]
    statistic = np.log(sizes.mean()) - np.log(sizes).mean()
    return float(np.interp(statistic, curve(), SNRS))


@functools.cache
def curve() -> NDArray[np.float64]:
    """Return log of the mean minus mean of the log of amplitudes, at each of `SNRS`."""
    speech = special.gammaincinv(SHAPE, _QUANTILES).astype(np.float64)
    noise = special.ndtri(_QUANTILES).astype(np.float64)
    power = SHAPE * (SHAPE + 1.0)  # mean square of the Gamma distribution
    return np.array(
        [
            _statistic(speech, noise * np.sqrt(power / 10.0 ** (snr / 10.0)))
            for snr in SNRS
        ]
    )


def _statistic(speech: NDArray[np.float64], noise: NDArray[np.float64]) -> float:
    # Positive and negative amplitudes are alike, so that of speech may be positive.
    sizes = np.abs(speech[:, None] + noise)
    return float(np.log(sizes.mean()) - np.log(sizes).mean())
