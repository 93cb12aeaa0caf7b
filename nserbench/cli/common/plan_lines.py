"""What a plan says below its sum: what is doubtful, and what would be cheaper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nserbench.cli.common.text import duration

if TYPE_CHECKING:
    from nserbench.benchmark.running.cost import Planner


def cheaper_lines(planner: Planner) -> list[str]:
    """Return a line for each head that would at least halve the time."""
    return [
        f"cheaper: {one.upstream} x {one.instead} in place of {one.head}: all takes "
        f"about {duration(one.seconds)}"
        for one in planner.cheaper
    ]


def doubts(planner: Planner) -> list[str]:
    """Return a line if the machine was busy, and one for what was timed roughly."""
    import torch

    from nserbench.benchmark.running.stopwatch import BUSY, FEWER_THREADS

    watch, lines = planner.watch, []
    if watch.load >= BUSY:
        lines.append(
            f"this machine is busy now: the samples took {watch.load:.1f} times as "
            "long as on a free machine, for which the times are; at this load all "
            f"takes about {duration(planner.elapsed * watch.load)}"
            + (f"; {FEWER_THREADS}" if torch.get_num_threads() > 1 else "")
        )
    if planner.small:
        lines.append(
            f"rough, because all samples together may take {watch.budget:.0f} s: "
            f"{', '.join(planner.small)}"
        )
    return lines
