"""The command that makes a result again, from what the result says of itself."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from nserbench.benchmark.results.result import Result
from nserbench.benchmark.study.protocols import NOISE


def command(result: Result, seeds: Sequence[int]) -> str:
    """Write the command line of a result and its seeds.

    A checkpoint in a folder is named by the folder alone: where that lies is not part
    of a result. The command counts seeds from 0, so it may run more than are asked for.

    Args:
        result: Of any of the seeds.
        seeds: Those that are wanted.

    Examples:
        >>> print(command(Result(
        ...     status="failed", reason="no memory", digest="ab", upstream="mel",
        ...     downstream="mean", corpus="emodb", condition="clean",
        ...     protocol="probe+limit=60", seed=0, classes=(), protocol_details={},
        ... ), [0, 1]))
        nserbench run -u mel -d mean -c emodb --protocol probe --limit 60 --seeds 2
    """
    pieces = result.protocol.split("+")
    limits = [piece for piece in pieces if piece.startswith("limit=")]
    words = ["nserbench", "run", "-u", result.upstream, "-d", result.downstream]
    words += ["-c", result.corpus, *_conditions(_heard(result))]
    words += ["--protocol", "+".join(one for one in pieces if one not in limits)]
    for limit in limits:
        words += ["--limit", limit.removeprefix("limit=")]
    if (count := max(seeds, default=0) + 1) > 1:
        words += ["--seeds", str(count)]
    return shlex.join(words)


def _heard(result: Result) -> list[str]:
    """Give the conditions of the study: where several are trained on, all of them."""
    before, after = NOISE["multi"].split("{}")
    said = str(result.protocol_details.get("noise", ""))
    if said.startswith(before) and said.endswith(after):
        return said.removeprefix(before).removesuffix(after).split(", ")
    return [result.condition]


def _conditions(conditions: Sequence[str]) -> list[str]:
    pairs = [one.rpartition("@") for one in conditions if one != "clean"]
    if not pairs:
        return []
    noises = list(dict.fromkeys(noise for noise, _, _ in pairs))
    levels = list(dict.fromkeys(level for _, _, level in pairs))
    clean = ["clean"] if "clean" in conditions else []
    named = [word for noise in [*clean, *noises] for word in ("--noise", noise)]
    return [*named, f"--snr={','.join(levels)}"]
