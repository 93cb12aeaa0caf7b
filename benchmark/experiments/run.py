"""Run a block in parts, so that a missing corpus or model stops only its own part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

from nserbench.benchmark.study.request import Request
from nserbench.errors import NothingToRun, NserbenchError, SeveralMissing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BlockProblem:
    """A part of a block that could not run.

    Attributes:
        impossible: Whether the part cannot exist; otherwise something is missing.
    """

    block: str
    request: Request
    reason: str
    impossible: bool


def run_apart(
    block: str, request: Request, act: Callable[[Request], T]
) -> tuple[list[T], list[BlockProblem]]:
    """Call a function on a block; if it fails, on smaller and smaller parts.

    The first parts are pairs of an upstream and a corpus, the next single noises.

    Args:
        act: Function to call; it may be called twice for one part.

    Returns:
        The return values of ``act``, and the parts for which it raised an
        `NserbenchError`. If all noises of a corpus fail alike, they are one part.
    """
    try:
        return [act(request)], []
    except NserbenchError as error:
        impossible = isinstance(error, NothingToRun)
        errors = error.problems if isinstance(error, SeveralMissing) else [error]
        whole = [BlockProblem(block, request, str(one), impossible) for one in errors]
    kind, parts = _parts(request)
    if len(parts) < 2:
        return [], whole
    outcomes = [run_apart(block, part, act) for part in parts]
    values = [value for done, _ in outcomes for value in done]
    if kind == "noises" and not values and len(set(map(_causes, outcomes))) == 1:
        return [], [replace(one, request=request) for one in outcomes[0][1]]
    return values, [problem for _, failed in outcomes for problem in failed]


def _causes(outcome: tuple[object, Sequence[BlockProblem]]) -> frozenset[object]:
    return frozenset((one.reason, one.impossible) for one in outcome[1])


def _parts(request: Request) -> tuple[str, list[Request]]:
    """Divide a request; return the kind of the parts, and the parts."""
    corpora = _by_corpus(request.corpora)
    if len(request.upstreams) > 1 or len(corpora) > 1:
        pairs = product(request.upstreams, corpora)
        return "upstreams and corpora", [
            replace(request, upstreams=[upstream], corpora=names)
            for upstream, names in pairs
        ]
    if "multi" in (request.protocol or "").split("+"):
        return "nothing", []  # it trains on all noises at once
    return "noises", [replace(request, noises=[noise]) for noise in request.noises]


def _by_corpus(corpora: Sequence[str]) -> list[list[str]]:
    """Group names that begin with the same word, such as one corpus in two noises."""
    groups: dict[str, list[str]] = {}
    for name in corpora:
        groups.setdefault(name.partition("-")[0], []).append(name)
    return list(groups.values())
