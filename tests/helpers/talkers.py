"""An upstream that transcribes, and notes in each pass which groups are read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scribes import FACTS, Wave

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    Recognised,
    Transcriber,
    UpstreamCard,
)
from nserbench.upstreams.groups import GroupSpec


@dataclass(frozen=True)
class Noted:
    """One call of the upstream."""

    ids: tuple[str, ...]
    groups: frozenset[str] | None
    searched: bool


class Talker(Transcriber):
    """Has an encoder, and a decoder for which it must transcribe."""

    noted: ClassVar[list[Noted]] = []

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the encoder alone if nothing else is read."""
        if batch.reads("decoder"):
            return self.forward_and_transcribe(batch).features
        self.note(batch, searched=False)
        return {"encoder": group(batch, np.mean)}

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Return both groups, and a text for each wave."""
        self.note(batch, searched=True)
        features = {"encoder": group(batch, np.mean), "decoder": group(batch, np.std)}
        return Recognised(features, [str(len(wave)) for wave in batch.waves])

    def note(self, batch: Batch, *, searched: bool) -> None:
        """Keep what is asked."""
        Talker.noted.append(Noted(tuple(batch.ids), batch.groups, searched))


def group(batch: Batch, level: Callable[[Wave], np.floating]) -> LayerGroup:
    """Return three layers of one frame."""
    levels = torch.tensor([float(level(wave)) for wave in batch.waves])
    states = torch.stack([levels, levels**2, levels**3])[:, :, None, None]
    return LayerGroup(states, torch.ones(len(levels), dtype=torch.int64))


def offer_talker(plugins: Plugins, offer: Callable[[str, object], str]) -> list[Noted]:
    """Add the card ``talker``; return the list to which its calls are added."""
    Talker.noted.clear()
    plugins.upstreams.add(
        UpstreamCard(
            name="talker",
            load=offer("Talker", Talker),
            groups={
                "encoder": GroupSpec(range(3), 1, None),
                "decoder": GroupSpec(range(3), 1, None),
            },
            transcribes=True,
            without_transcript=("encoder",),
            **FACTS,
        ),
        "the test",
    )
    return Talker.noted
