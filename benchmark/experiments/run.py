"""Running blocks so that what is missing for one part stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

from nserbench.benchmark.study.study import Request
from nserbench.errors import NothingToRun, NserbenchError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BlockProblem:
    """A part of a block that could not be run.

    Attributes:
        block: Its name.
        request: What was asked for.
        reason: Why it could not.
        impossible: Whether it cannot exist, rather than lacking something.
    """

    block: str
    request: Request
    reason: str
    impossible: bool

    def __str__(self) -> str:
        asked = self.request
        where = [*asked.corpora, *(["in", *asked.noises] if asked.noises else [])]
        return f"{self.block}, {' '.join([*asked.upstreams, 'on', *where])}"


def run_apart(
    block: str, request: Request, act: Callable[[Request], T]
) -> tuple[list[T], list[BlockProblem]]:
    """Act on a block; where that fails, on each upstream and corpus, then each noise.

    Args:
        block: The name of the block.
        request: What it asks for.
        act: What is to be done; it may be done twice.

    Returns:
        What ``act`` gave, and each part for which it raised an error for the user;
        parts of one corpus that failed alike are one.
    """
    try:
        return [act(request)], []
    except NserbenchError as error:
        whole = BlockProblem(
            block, request, str(error), isinstance(error, NothingToRun)
        )
    several, parts = _parts(request)
    if len(parts) < 2:
        return [], [whole]
    each = [run_apart(block, part, act) for part in parts]
    done = [one for found, _ in each for one in found]
    troubles = [one for _, missing in each for one in missing]
    alike = {(one.reason, one.impossible) for one in troubles}
    if several == "noises" and not done and len(alike) == 1:
        return [], [replace(troubles[0], request=request)]
    return done, troubles


def _parts(request: Request) -> tuple[str, list[Request]]:
    """Divide a request, and say by what."""
    corpora = _by_corpus(request.corpora)
    if len(request.upstreams) > 1 or len(corpora) > 1:
        pairs = product(request.upstreams, corpora)
        return "upstreams and corpora", [
            replace(request, upstreams=[one], corpora=each) for one, each in pairs
        ]
    if "multi" in (request.protocol or "").split("+"):
        return "nothing", []  # it trains on all noises at once
    return "noises", [replace(request, noises=[one]) for one in request.noises]


def _by_corpus(corpora: Sequence[str]) -> list[list[str]]:
    """Keep what begins with the same word together, such as a corpus in two noises."""
    found: dict[str, list[str]] = {}
    for name in corpora:
        found.setdefault(name.partition("-")[0], []).append(name)
    return list(found.values())
