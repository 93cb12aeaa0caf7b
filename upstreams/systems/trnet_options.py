"""What the card of TRNet says, known without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nserbench.cards import Options
from nserbench.upstreams.groups import Groups, GroupSpec

SAMPLES = 80_000
"""Samples of a clip, repeated or cut: five seconds, as in the authors' ``run.sh``."""


def describe_trnet(options: Options) -> Groups:
    """Return the group ``embedding``: one vector for each clip."""
    return {"embedding": GroupSpec(range(1, 2), options["dim"], rate=None)}


def teacher_of_trnet(options: Options) -> Mapping[str, Any] | None:
    """Return the options of the teacher; the backbone alone has none."""
    return {"refine": False, "enhance": None} if options["refine"] else None
