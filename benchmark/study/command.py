"""The command line that makes a result again, from the fields of the result."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nserbench.benchmark.study.protocols import NOISE

if TYPE_CHECKING:
    from nserbench.benchmark.results.result import Result


def command_of(result: Result, seeds: Sequence[int]) -> str:
    """Return the command line that runs a result and its seeds again.

    What belongs to a machine is not part of a result: a checkpoint in a folder is
    named without its path, and ``--plugin`` and folders are left out. The command runs
    all seeds from 0 to the largest, so it may run more than asked.

    Args:
        result: The result of any of the seeds.
        seeds: Numbers of the seeds.

    Examples:
        >>> from nserbench.benchmark.results.result import Result
        >>> print(command_of(Result(
        ...     status="failed", reason="no memory", digest="ab", upstream="mel",
        ...     downstream="mean", corpus="emodb", condition="park@0",
        ...     protocol="probe+limit=60", seed=0, classes=(), protocol_details={},
        ... ), [0]))
        nserbench run -u mel -d mean -c emodb --noise park@0 --protocol probe --limit 60
    """
    pieces = result.protocol.split("+")
    limits = [piece for piece in pieces if piece.startswith("limit=")]
    line = ["nserbench", "run", "-u", result.upstream, "-d", result.downstream]
    line += ["-c", result.corpus]
    if (conditions := _conditions(result)) != ["clean"]:
        line += ["--noise", ",".join(conditions)]
    line += ["--protocol", "+".join(piece for piece in pieces if piece not in limits)]
    for limit in limits:
        line += ["--limit", limit.removeprefix("limit=")]
    if (count := max(seeds, default=0) + 1) > 1:
        line += ["--seeds", str(count)]
    return shlex.join(line)


def _conditions(result: Result) -> list[str]:
    """Return the condition of a result, or all conditions that it was trained on."""
    before, after = NOISE["multi"].split("{}")
    training = str(result.protocol_details.get("noise", ""))
    conditions, found, _ = training.removeprefix(before).partition(after)
    if training.startswith(before) and found:
        return conditions.split(", ")
    return [result.condition]
