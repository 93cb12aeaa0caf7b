"""A cell of the benchmark: everything that one number is measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nserbench.benchmark.study.protocols import Protocol
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import CorpusCard
from nserbench.downstreams.base import DownstreamCard
from nserbench.downstreams.cards import MEAN
from nserbench.quantities import counted
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.groups import Groups

if TYPE_CHECKING:
    from nserbench.benchmark.store.feature_store import Form


@dataclass(frozen=True, slots=True)
class Condition:
    """Clean speech, or a noise at an SNR.

    Attributes:
        snr: SNR in dB; None for clean speech.

    Examples:
        >>> str(Condition("park", -5.0)), str(Condition())
        ('park@-5', 'clean')
    """

    noise: str | None = None
    snr: float | None = None

    @property
    def rank(self) -> tuple[str, float]:
        """Sort key: clean speech, then noises by name, each from high to low SNR."""
        return self.noise or "", -(self.snr or 0.0)

    def __str__(self) -> str:
        return "clean" if self.noise is None else f"{self.noise}@{self.snr:g}"


@dataclass(frozen=True, slots=True)
class Cell:
    """An upstream and a head, on a corpus in a condition, with a protocol and a seed.

    Attributes:
        groups: Groups that the head reads, with the layers it needs; empty if the cell
            is refused.
        refused: Why the cell cannot exist; None if it can.
        candidates: Cells to choose from, if the head chooses among heads.
        joint: Cell that fine-tunes the upstream: the upstream before fine-tuning, and
            the head to train with it. None without fine-tuning.
        teacher: Cell on clean speech whose fine-tuned upstream is the teacher in the
            fine-tuning of this one; None if there is no teacher.
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
    teacher: Cell | None = None

    def __str__(self) -> str:
        data = f"{self.corpus.label} {self.condition}"
        training = f"{self.protocol.label}, seed {self.seed}"
        return f"{self.upstream.label} x {self.downstream.label} x {data} ({training})"

    @property
    def reads_frames(self) -> bool:
        """Whether the head reads all valid frames, and not their means over time."""
        return self.downstream.card.tier == "frames"

    @property
    def fine_tuned(self) -> list[Cell]:
        """The cells whose upstreams are fine-tuned for this one."""
        found = [] if self.joint is None else [self.joint]
        if self.teacher is not None:
            found += [self.teacher, *self.teacher.fine_tuned]
        return found

    @property
    def form(self) -> Form:
        """The form of the features that the head reads from the store."""
        return self.protocol.frame_form if self.reads_frames else "pooled"

    def refuse(self, reason: str) -> Cell:
        """Return this cell as one that cannot exist."""
        return replace(self, groups={}, refused=reason, candidates=())


def with_mean_head(cell: Cell) -> Cell:
    """Return a cell with the head `mean` on the layers that its own head reads."""
    defaults = {name: option.default for name, option in MEAN.all_options().items()}
    state0 = any(0 in spec.layers for spec in cell.groups.values())
    options = {**defaults, "state0": state0}
    return replace(cell, downstream=ConfiguredCard(MEAN, options))


def not_applicable(cells: Iterable[Cell]) -> list[str]:
    """Return a line for each upstream and head with cells that are not applicable."""
    counts = Counter(
        (cell.upstream.label, cell.downstream.label, cell.refused)
        for cell in cells
        if cell.refused is not None
    )
    return [
        f"not applicable: {upstream} x {head}, {counted(count, 'cell')}: {reason}"
        for (upstream, head, reason), count in counts.items()
    ]
