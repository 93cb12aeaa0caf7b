"""What the card of MV-BiSSM says, known without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nserbench.cards import Options
from nserbench.upstreams.groups import Groups, GroupSpec

DESCRIPTORS = 25
"""Low-level descriptors of eGeMAPSv02."""

STACKED = 4
"""Frames of 10 ms that are joined, so that the sequence is short (ours)."""

DIMS = (16, 32, 64, 128, 256, 512)
"""Widths that the attention can divide."""


def describe_mv_bissm(options: Options) -> Groups:
    """Return the group ``embedding``: one vector for each clip."""
    return {"embedding": GroupSpec(range(1, 2), options["dim"], rate=None)}


def mv_bissm_files(options: Options) -> Sequence[Path]:
    """Return the files of openSMILE with ``lld=yes``; else none."""
    if not options["lld"]:
        return ()
    from nserbench.upstreams.opensmile.upstream import opensmile_files

    return opensmile_files(options)
