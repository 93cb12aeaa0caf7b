"""A cell of the benchmark: what one number stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nserbench.benchmark.study.protocols import Protocol
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import CorpusCard
from nserbench.downstreams.base import DownstreamCard
from nserbench.downstreams.cards import MEAN
from nserbench.upstreams.base import Groups, UpstreamCard

MAX_ABS_SNR_DB = 100.0
"""Our bound: beyond it float32 no longer holds both speech and noise."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Clean speech, or a noise at a level.

    Attributes:
        noise: Its name; None for clean speech.
        snr: dB; None for clean speech.

    Examples:
        >>> str(Condition("park", -5.0)), str(Condition())
        ('park@-5', 'clean')
    """

    noise: str | None = None
    snr: float | None = None

    @property
    def rank(self) -> tuple[str, float]:
        """Sort clean speech first, then noises by name, each from high to low SNR."""
        return self.noise or "", -(self.snr or 0.0)

    def __str__(self) -> str:
        return "clean" if self.noise is None else f"{self.noise}@{self.snr:g}"


@dataclass(frozen=True, slots=True)
class Cell:
    """An upstream under a head, on a corpus in a condition, by a protocol and a seed.

    Attributes:
        groups: What the head reads, with the layers it needs; empty if refused.
        refused: Why the cell cannot exist; None if it can.
        candidates: Of a head that chooses among heads, a cell for each of them.
        joint: Of an upstream that is tuned, the head that it is tuned under over the
            upstream as it came; None where it stays as it came.
    """

    upstream: ConfiguredCard[UpstreamCard]
    downstream: ConfiguredCard[DownstreamCard]
    corpus: ConfiguredCard[CorpusCard]
    condition: Condition
    protocol: Protocol
    seed: int
    groups: Groups
    refused: str | None
    candidates: tuple[Cell, ...] = ()
    joint: Cell | None = None

    def __str__(self) -> str:
        where = f"{self.corpus.label} {self.condition}"
        how = f"{self.protocol.label}, seed {self.seed}"
        return f"{self.upstream.label} x {self.downstream.label} x {where} ({how})"

    @property
    def reads_frames(self) -> bool:
        """Whether its head reads all valid frames, and not their means over time."""
        return self.downstream.card.tier == "frames"


def under_mean(cell: Cell) -> Cell:
    """Return a cell with the head `mean` on the layers that its own head reads."""
    defaults = {name: one.default for name, one in MEAN.all_options().items()}
    first = any(0 in spec.layers for spec in cell.groups.values())
    return replace(cell, downstream=ConfiguredCard(MEAN, {**defaults, "state0": first}))
