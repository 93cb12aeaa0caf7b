"""The built-in upstreams."""

from __future__ import annotations

import re
from dataclasses import replace

from nserbench.cards import Option
from nserbench.hookspecs import hookimpl
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.checkpoints import checkpoint_label
from nserbench.upstreams.describe import describe_mel, describe_whisper


def language_code(text: str) -> str:
    """Read a language as Whisper names it: ISO 639-1, or 639-3 where it has none."""
    if not re.fullmatch("[a-z]{2,3}", text):
        raise ValueError("a code such as en, de or zh is wanted")
    return text


MEL = UpstreamCard(
    name="mel",
    summary="80-band log-mel spectrogram, 25 ms windows every 10 ms",
    source="the conventional baseline of Sec. IV-B and Table II; the bands are ours",
    licence="none: no weights",
    load="nserbench.upstreams.mel:Mel",
    groups=describe_mel,
    min_samples=400,
)

WHISPER = UpstreamCard(
    name="whisper",
    summary="Whisper: all encoder layers, and all decoder layers over what it hears",
    source="Radford et al., arXiv:2212.04356; small, as in Sec. IV-C",
    licence="MIT",
    load="nserbench.upstreams.whisper:Whisper",
    options={
        "checkpoint": Option(
            help="hub id or local folder of any Whisper",
            default="openai/whisper-small",
            label=checkpoint_label,
            keyed=False,
        ),
        "revision": Option(
            help="commit of the hub id; pinned for the default checkpoint",
            keyed=False,
        ),
        "language": Option(
            help="code such as de; each utterance's own, else English, unless given",
            parse=language_code,
        ),
    },
    groups=describe_whisper,
    files="nserbench.upstreams.checkpoints:checkpoint_files",
    reads=frozenset({"waves", "languages"}),
    max_samples=480_000,
    transcribes=True,
)


def _only(group: str) -> UpstreamCard:
    """Make the card that hands one group of Whisper to the head."""
    groups = replace(WHISPER.common["groups"], default=(group,))
    return replace(
        WHISPER,
        name=f"whisper-{group[:3]}",
        summary=f"whisper with groups={group}",
        options={**WHISPER.options, "groups": groups},
    )


@hookimpl
def nserbench_upstreams() -> list[UpstreamCard]:
    """Offer the built-in upstreams."""
    return [MEL, WHISPER, _only("encoder"), _only("decoder")]
