"""Test models: an enhancer, an upstream that transcribes, and one that reads texts."""

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import Option, nested_label
from nserbench.spec import Spec, parse_spec
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    Recognised,
    Transcriber,
    Upstream,
    UpstreamCard,
)
from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard
from nserbench.upstreams.groups import GroupSpec

Wave = NDArray[np.float32]
FACTS: Any = {"summary": "", "source": "", "licence": ""}
calls: Counter[str] = Counter()


def words(wave: Wave) -> str:
    """Spell the loudness of a wave; an empty text if it is even."""
    level = round(1e4 * float(np.abs(wave).mean()))
    return " ".join(str(level)) if level % 2 else ""


class Flip(Enhancer):
    """Reverses the wave, and makes it ten times as loud."""

    def separate(self, wave: Wave) -> Wave:
        """Return the reversed wave."""
        return -10 * wave


class Scribe(Transcriber):
    """Transcribes a wave as `words`, with the loudness as features."""

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Return loudness and words."""
        calls["listen"] += len(batch.waves)
        level = torch.tensor([[float(np.mean(wave))] for wave in batch.waves])
        group = LayerGroup(
            level[None, :, None], torch.ones(len(level), dtype=torch.int64)
        )
        return Recognised({"level": group}, [words(wave) for wave in batch.waves])

    def transcribe(self, batch: Batch) -> list[str]:
        """Return the words without features."""
        calls["transcribe"] += len(batch.waves)
        return [words(wave) for wave in batch.waves]


class Reader(Upstream):
    """Returns the length of each text, and keeps the texts."""

    read: ClassVar[list[str | None]] = []

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the lengths of the texts."""
        assert not batch.waves
        Reader.read += batch.texts
        lengths = torch.tensor([[float(len(text or ""))] for text in batch.texts])
        ones = torch.ones(len(lengths), dtype=torch.int64)
        return {"text": LayerGroup(lengths[None, :, None], ones)}


def reference_or_name(text: str) -> str | Spec:
    return text if text == "reference" else parse_spec(text)


def offer_scribes(plugins: Plugins, offer: Callable[[str, object], str]) -> None:
    """Add the cards ``flip``, ``scribe`` and ``reader``, and clear their records."""
    calls.clear()
    Reader.read.clear()
    plugins.enhancers.add(
        EnhancerCard(name="flip", load=offer("Flip", Flip), **FACTS), "the test"
    )
    plugins.upstreams.add(
        UpstreamCard(
            name="scribe",
            load=offer("Scribe", Scribe),
            groups={"level": GroupSpec(range(1, 2), 1, None)},
            transcribes=True,
            **FACTS,
        ),
        "the test",
    )
    text = Option(
        help="",
        default="reference",
        parse=reference_or_name,
        label=nested_label,
        affects_features=False,
        names_a="upstream",
    )
    plugins.upstreams.add(
        UpstreamCard(
            name="reader",
            load=offer("Reader", Reader),
            groups={"text": GroupSpec(range(1, 2), 1, None)},
            reads=frozenset({"texts"}),
            options={"text": text},
            **FACTS,
        ),
        "the test",
    )
