"""What a fault is: something that goes wrong while the real program runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True)
class Seen:
    """What one attempt showed.

    Attributes:
        lost: what had to be done again, such as ``2 of 40 utterances``; empty if
            nothing was.
        message: what the user saw, the line that counts; empty if there was none.
    """

    lost: str = ""
    message: str = ""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and how to bring it about.

    Attributes:
        group: the heading of its rows in docs/reliability.md, such as ``Kills``.
        name: what goes wrong, in a few words.
        attempt: brings it about once, in an empty folder of its own, with its own
            random numbers. It raises `AssertionError` if a promise of
            docs/reliability.md is broken: a number differs from that of an
            undisturbed run and no line says so, finished work is done again, or the
            user gets a traceback.
        times: attempts of ``make faults``.
        quick: attempts in ``make test``; 0 for none.
    """

    group: str
    name: str
    attempt: Callable[[Path, Random], Seen]
    times: int
    quick: int = 0


class NotPossible(Exception):
    """This machine cannot bring a fault about; the text says what it lacks."""
