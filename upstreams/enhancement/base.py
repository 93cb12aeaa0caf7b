"""What every enhancer does: speech out of noisy speech, before any upstream hears."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nserbench.cards import Options
from nserbench.upstreams.base import ModelCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Enhancer(abc.ABC):
    """A loaded model that takes noise out of one utterance at a time.

    Args:
        options: Of the card.
        device: Such as ``"cuda:0"``.
    """

    def __init__(self, options: Options, device: str) -> None:
        self.options = options
        self.device = device

    @abc.abstractmethod
    def separate(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the speech of a wave at any level.

        Args:
            wave: ``(samples,)``, mono at 16 kHz.

        Returns:
            ``(samples,)``, as many.
        """

    def enhance(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the speech of a wave at the mean power of that wave.

        Trained on a loss that no level changes, such as SI-SDR, a model puts out speech
        at any level, which an upstream would hear.

        Args:
            wave: ``(samples,)``, mono at 16 kHz.

        Returns:
            ``(samples,)``, float32; silent where the model leaves nothing.

        Raises:
            ValueError: if the model changes the length.
        """
        speech = self.separate(wave)
        if speech.shape != wave.shape:
            raise ValueError(
                f"{type(self).__name__} makes {speech.shape} out of {wave.shape}"
            )
        power = _power(speech)
        if power == 0.0:
            return speech
        scaled: NDArray[np.float32] = speech * (_power(wave) / power) ** 0.5
        return scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancerCard(ModelCard):
    """What is known of an enhancer before it is loaded.

    ``load`` names a callable that takes the options and a device such as ``"cuda:0"``
    and returns an `Enhancer`.
    """

    kind: ClassVar[str] = "enhancer"

    def open(self, options: Options, device: str) -> Enhancer:
        """Load the model on a device."""
        enhancer: Enhancer = self.resolve(self.load)(options, device)
        return enhancer


def _power(wave: NDArray[np.float32]) -> float:
    return float((wave.astype("float64") ** 2).mean())
