"""How noisy a recording is, estimated from the recording alone."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy import special

SHAPE = 0.4
"""Of the Gamma distribution that the amplitudes of clean speech follow."""
LEVELS = np.arange(-20.0, 101.0)
"""dB. What can be told apart; an estimate is one of these, or between two."""

_QUANTILES = (np.arange(1000) + 0.5) / 1000


def wada_snr(wave: NDArray[np.float32]) -> float:
    """Estimate the signal-to-noise ratio by the distribution of amplitudes (WADA).

    Kim and Stern, Robust signal-to-noise ratio estimation based on waveform amplitude
    distribution analysis, Interspeech 2008. It takes amplitudes of clean speech to be
    Gamma distributed with shape 0.4, and noise to be Gaussian. On such mixtures it is
    right to 1 dB from -5 to 40 dB. On EmoDB with white noise the median of 43 clips is
    right to 1 dB from -10 to 10 dB, and 3 dB too low at 20 dB; one clip is off by 1 to
    4 dB. Birdsong, music and other noise with peaks of its own is taken for speech. So
    compare corpora by it, not clips.

    We compute its curve instead of using the authors' simulated table: the two differ
    by less than 0.005.

    Args:
        wave: ``(samples,)``, not silent. A constant offset is taken out.

    Returns:
        dB, in -20 to 100.
    """
    heard = wave[wave != 0].astype(np.float64)  # digital silence is no noise
    sizes = np.abs(heard - heard.mean())
    sizes = sizes[sizes > 0]
    seen = np.log(sizes.mean()) - np.log(sizes).mean()
    return float(np.interp(seen, curve(), LEVELS))


@functools.cache
def curve() -> NDArray[np.float64]:
    """Give log of the mean less mean of the log, of amplitudes at each of `LEVELS`."""
    speech = special.gammaincinv(SHAPE, _QUANTILES).astype(np.float64)
    noise = special.ndtri(_QUANTILES).astype(np.float64)
    power = SHAPE * (SHAPE + 1.0)  # mean square of the Gamma distribution
    return np.array(
        [
            _statistic(speech, noise * np.sqrt(power / 10.0 ** (level / 10.0)))
            for level in LEVELS
        ]
    )


def _statistic(speech: NDArray[np.float64], noise: NDArray[np.float64]) -> float:
    # Both sides of zero are alike, so speech may stay on one of them.
    sizes = np.abs(speech[:, None] + noise)
    return float(np.log(sizes.mean()) - np.log(sizes).mean())
