"""Base of all enhancers: models that remove noise before an upstream reads audio."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nserbench.cards import Options
from nserbench.errors import copy_named
from nserbench.upstreams.model_card import ModelCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Enhancer(abc.ABC):
    """A loaded model that removes noise from one utterance at a time.

    Args:
        options: The values of the card's options, by key.
        device: Device to compute on, such as ``"cuda:0"``.

    Attributes:
        thread_safe: Whether several threads may call `enhance` at once: a call changes
            nothing that another one reads. Each class says it for itself.
    """

    thread_safe: bool = False

    def __init__(self, options: Options, device: str) -> None:
        self.options = options
        self.device = device

    @abc.abstractmethod
    def separate(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the speech in a wave, at any amplitude.

        Args:
            wave: ``(samples,)``, mono at 16 kHz, full scale at 1.0.

        Returns:
            ``(samples,)``, floating-point numbers, as many as in ``wave``.
        """

    def enhance(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the speech in a wave, scaled to the mean power of the wave.

        A model that was trained with a scale-invariant loss such as SI-SDR returns
        speech at any amplitude, which would change an upstream's features.

        Args:
            wave: ``(samples,)``, mono at 16 kHz.

        Returns:
            ``(samples,)``, float32; silent if the model removes everything.

        Raises:
            ValueError: if it is no array of floating-point numbers of that length, or
                a number is not finite.
        """
        speech = self.separate(wave)
        _refuse_other(type(self).__name__, speech, wave)
        power = _power(speech)
        if power == 0.0:
            return speech.astype("float32", copy=False)
        scaled: NDArray[np.float32] = speech * (_power(wave) / power) ** 0.5
        return scaled.astype("float32", copy=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancerCard(ModelCard):
    """What is known about an enhancer before it is loaded.

    ``load`` names a callable that takes the options and a device such as ``"cuda:0"``
    and returns an `Enhancer`.
    """

    kind: ClassVar[str] = "enhancer"

    def open(self, options: Options, device: str) -> Enhancer:
        """Load the model on a device."""
        with copy_named(self.before_copy):
            enhancer: Enhancer = self.loader()(options, device)
        return enhancer


def _refuse_other(name: str, speech: object, wave: NDArray[np.float32]) -> None:
    """Refuse what is no wave of the same length."""
    import numpy as np

    if not isinstance(speech, np.ndarray):
        raise ValueError(
            f"{name} returns an object of the class {type(speech).__name__}"
        )
    if speech.shape != wave.shape:
        raise ValueError(f"{name} returns {speech.shape} for {wave.shape}")
    if not np.issubdtype(speech.dtype, np.floating):
        raise ValueError(f"{name} returns {speech.dtype}, no floating-point numbers")
    if not np.isfinite(speech).all():
        raise ValueError(f"{name} returns numbers that are not finite")


def _power(wave: NDArray[np.float32]) -> float:
    return float((wave.astype("float64") ** 2).mean())
