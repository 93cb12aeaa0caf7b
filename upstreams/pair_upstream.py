"""Base of upstreams that learn from pairs: an utterance in noise, and without."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nserbench.cards import Options
from nserbench.errors import NserbenchError
from nserbench.upstreams.base import Batch, LayeredFeatures, Upstream, UpstreamCard

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class FeaturesAndLosses:
    """The layered features of a batch, and what is added to its cross-entropy.

    Attributes:
        features: The layered features.
        losses: ``(batch,)`` of each term, by the name that the log of training shows.
            A step adds the mean of each over its utterances, so weights of terms are
            in the values.
    """

    features: LayeredFeatures
    losses: Mapping[str, Tensor]


class PairUpstream(Upstream):
    """An upstream that adds losses of its own in training, from the clean twin.

    `forward` is used wherever no gradient is needed: on the dev set, the test set, and
    after training.

    Attributes:
        teacher: The trained teacher in evaluation mode, if the card names one; it is
            set before training. Its weights are neither trained nor saved.
    """

    teacher: Upstream | None = None

    @abc.abstractmethod
    def forward_and_losses(self, batch: Batch, clean: Batch) -> FeaturesAndLosses:
        """Return the layered features, as `forward` does, and the losses.

        It is called in training only. A step may be cut into parts, each with a call of
        its own. So the losses of an utterance do not depend on the others, except by
        the statistics of a batch norm.

        Args:
            batch: One or more utterances, as `forward` receives them.
            clean: The same utterances in the same order, without noise and enhancer,
                with the same texts.
        """


def set_teacher(upstream: Upstream, teacher: Upstream) -> None:
    """Set the teacher of an upstream.

    Raises:
        NserbenchError: if it is no `PairUpstream`.
    """
    if not isinstance(upstream, PairUpstream):
        raise NserbenchError(
            f"{type(upstream).__name__} is no PairUpstream, although its card names a "
            "teacher"
        )
    upstream.teacher = teacher


def open_with_teacher(card: UpstreamCard, options: Options, device: str) -> Upstream:
    """Load an upstream and its teacher, if it has one, before both are trained."""
    upstream = card.open(options, device)
    if (of_teacher := card.teacher_options(options)) is not None:
        set_teacher(upstream, card.open(of_teacher, device))
    return upstream
