"""The level of a clip, and the levels that speech or noise should not have."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOUDEST = 8.0
"""Ours: a peak above this (18 dB above full scale) is in another unit."""
QUIETEST = -80.0
"""dBFS. Ours: an RMS below this is three steps of 16-bit audio."""
CANCELLED = -20.0
"""dB. Ours: independent channels lose 3 dB (two) to 12 dB (sixteen) when averaged."""


@dataclass(frozen=True, slots=True)
class Levels:
    """How loud a clip is.

    Attributes:
        peak: Largest absolute value of its samples, mono at 16 kHz; full scale is 1.
        rms: RMS of these samples without their mean.
        mono: RMS of the mono signal divided by that of the channels it is made of.
    """

    peak: float
    rms: float
    mono: float


@dataclass(frozen=True, slots=True)
class LevelCheck:
    """A check of one level.

    Attributes:
        name: Name of the level.
        value: Returns the level in dB.
        lowest: Lowest usual level in dB.
        highest: Highest usual level in dB.
        trouble: What is wrong outside of that.
        fine: What is true if no clip is outside of it.
    """

    name: str
    value: Callable[[Levels], float]
    lowest: float
    highest: float
    trouble: str
    fine: str

    def finds(self, levels: Levels) -> bool:
        """Return whether a clip has such a level."""
        return not self.lowest <= self.value(levels) <= self.highest

    def describe(self, name: str, levels: Levels) -> str:
        """Return the name of a clip with its level."""
        return f"{name} ({self.value(levels):+.1f} dB)"


def decibels(ratio: float) -> float:
    """Return a ratio of amplitudes in dB; minus infinity for 0."""
    return 20 * math.log10(ratio) if ratio > 0 else -math.inf


LEVEL_CHECKS = (
    LevelCheck(
        "peak",
        lambda levels: decibels(levels.peak),
        -math.inf,
        decibels(LOUDEST),
        f"peak above {LOUDEST:g}, where full scale is 1: perhaps in another unit",
        f"no peak above {LOUDEST:g}, where full scale is 1",
    ),
    LevelCheck(
        "RMS",
        lambda levels: decibels(levels.rms),
        QUIETEST,
        math.inf,
        f"RMS under {QUIETEST:g} dBFS: almost silent, or in another unit",
        f"no RMS under {QUIETEST:g} dBFS",
    ),
    LevelCheck(
        "mono",
        lambda levels: decibels(levels.mono),
        CANCELLED,
        math.inf,
        f"channels cancel out: their mean is over {-CANCELLED:g} dB below them",
        "no channels cancel out",
    ),
)


@dataclass(slots=True)
class Meter:
    """Measures samples that come in blocks.

    Attributes:
        lowest: Smallest sample.
        highest: Largest sample.
        count: Number of samples.
    """

    lowest: float = math.inf
    highest: float = -math.inf
    count: int = 0
    _sum: float = 0.0
    _squares: float = 0.0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Measure more samples, of any shape."""
        if samples.size:
            wide = samples.astype(np.float64).ravel()
            self.lowest = min(self.lowest, float(wide.min()))
            self.highest = max(self.highest, float(wide.max()))
            self.count += wide.size
            self._sum += float(wide.sum())
            # No product of vectors: after one, threads of numpy's BLAS go on for a
            # while without work, and keep cores from the model.
            self._squares += float(np.square(wide, out=wide).sum())

    @property
    def silent(self) -> bool:
        """Whether there are samples, and all are equal."""
        return self.lowest == self.highest

    @property
    def peak(self) -> float:
        """Largest absolute value."""
        return max(-self.lowest, self.highest)

    @property
    def rms(self) -> float:
        """RMS of the samples."""
        return math.sqrt(self._squares / self.count)

    @property
    def deviation(self) -> float:
        """RMS of the samples without their mean."""
        mean = self._sum / self.count
        return math.sqrt(max(self._squares / self.count - mean**2, 0.0))
