"""Check what a head returns, since its code may be a plugin's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nserbench.errors import NserbenchError


def checked_logits(
    head: nn.Module, output: object, rows: int, classes: int | None = None
) -> Tensor:
    """Return the output of a head if it is logits, ``(rows, classes)``.

    A wrong shape could be broadcast, and a complex number loses a part, both without an
    error.

    Args:
        head: The head, for the message.
        output: What it returned.
        rows: Number of utterances that it was given.
        classes: Number of classes; None for any.

    Raises:
        NserbenchError: if it has another shape or is no tensor of floating-point
            numbers.
    """
    wanted = f"({rows}, {'classes' if classes is None else classes})"
    if not isinstance(output, Tensor):
        given = f"an object of the class {type(output).__name__}"
    elif not output.is_floating_point():
        given = f"numbers of the type {output.dtype}"
    elif (
        output.ndim != 2
        or len(output) != rows
        or classes not in (None, output.shape[1])
    ):
        given = f"logits of the shape {tuple(output.shape)}"
    else:
        return output
    raise NserbenchError(
        f"the head {_name(head)} returns {given}\n"
        f"  it must return floating-point logits of the shape {wanted}: one row for "
        "each utterance, one number for each class"
    )


def refuse_infinite(head: nn.Module, logits: Tensor) -> None:
    """Refuse logits of a trained head that are not finite.

    Raises:
        NserbenchError: if one is infinite or NaN.
    """
    if not bool(torch.isfinite(logits).all()):
        raise NserbenchError(
            f"the head {_name(head)} returns values that are not finite, although its "
            "training ended well"
        )


def _name(head: nn.Module) -> str:
    """Return module and name of a head's class; of the inner one if it is wrapped."""
    inner = getattr(head, "head", head)
    kind = type(inner if isinstance(inner, nn.Module) else head)
    return f"{kind.__module__}.{kind.__name__}"
