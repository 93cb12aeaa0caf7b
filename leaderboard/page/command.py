"""The command line that makes a result again, from the fields of the result."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from nserbench.benchmark.results.result import Result
from nserbench.benchmark.study.protocols import NOISE


def command(result: Result, seeds: Sequence[int]) -> str:
    """Return the command line that runs a result and its seeds again.

    A checkpoint in a folder is named without its path, which is not part of a result.
    The command runs all seeds from 0 to the largest, so it may run more than asked.

    The result may be of any of the seeds.

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
    line = ["nserbench", "run", "-u", result.upstream, "-d", result.downstream]
    line += ["-c", result.corpus, *_noise_options(_conditions(result))]
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
    if training.startswith(before) and training.endswith(after):
        return training.removeprefix(before).removesuffix(after).split(", ")
    return [result.condition]


def _noise_options(conditions: Sequence[str]) -> list[str]:
    noisy = [name.rpartition("@") for name in conditions if name != "clean"]
    if not noisy:
        return []
    noises = list(dict.fromkeys(noise for noise, _, _ in noisy))
    snrs = list(dict.fromkeys(snr for _, _, snr in noisy))
    clean = ["clean"] if "clean" in conditions else []
    options = [text for noise in [*clean, *noises] for text in ("--noise", noise)]
    return [*options, f"--snr={','.join(snrs)}"]
