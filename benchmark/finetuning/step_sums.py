"""What a step of fine-tuning adds up: losses, right answers, terms of the upstream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from nserbench.errors import NserbenchError
from nserbench.upstreams.base import Upstream


@dataclass(slots=True)
class StepSums:
    """Sums over the utterances of a step, or over the steps of an epoch.

    Attributes:
        loss: The cross-entropy.
        right: Right answers.
        terms: The losses that the upstream adds, by name.
    """

    loss: float = 0.0
    right: int = 0
    terms: dict[str, float] = field(default_factory=dict)

    def add(self, other: StepSums, rows: int = 1) -> None:
        """Add other sums; their losses count once for each of some rows."""
        self.loss += other.loss * rows
        self.right += other.right
        for name, value in other.terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + value * rows


def checked_losses(
    upstream: Upstream, losses: Mapping[str, Tensor], rows: int
) -> Mapping[str, Tensor]:
    """Return the losses of an upstream if each is ``(rows,)``.

    Another shape could be broadcast, and would have another weight.

    Raises:
        NserbenchError: if one is no tensor of floating-point numbers of that shape.
    """
    for name, values in losses.items():
        if not isinstance(values, Tensor):
            given = f"an object of the class {type(values).__name__}"
        elif not values.is_floating_point():
            given = f"numbers of the type {values.dtype}"
        elif values.shape != (rows,):
            given = f"the shape {tuple(values.shape)}"
        else:
            continue
        raise NserbenchError(
            f"the loss {name!r} of {type(upstream).__name__} has {given}\n"
            f"  it must be a floating-point tensor ({rows},): one number for each "
            "utterance"
        )
    return losses
