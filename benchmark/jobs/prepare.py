"""A study whose audio and weights have been digested: every cell has its identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from nserbench.benchmark.extraction.clips import Clip, read_clips
from nserbench.benchmark.extraction.extraction import Extraction
from nserbench.benchmark.extraction.resolve import ResolvedUpstream, resolve_upstream
from nserbench.benchmark.extraction.side_by_side import HeadInput
from nserbench.benchmark.jobs.job import FineTuning, Job, TrainingCondition
from nserbench.benchmark.jobs.leaks import refuse_copies
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.benchmark.study.cell import Cell, Condition, with_mean_head
from nserbench.benchmark.study.overlap import unit_label
from nserbench.benchmark.study.study import Study
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import Corpus
from nserbench.progress import Progress
from nserbench.upstreams.base import Groups, UpstreamCard
from nserbench.upstreams.side_by_side import parts_of


def prepare(study: Study, store: Store, progress: Progress) -> list[Job]:
    """Digest audio and checkpoints, and give a job for every cell that can exist.

    Raises:
        BadAudio: if any audio file cannot be used.
        BadCorpus: if the same audio is trained on and tested.
        BadSpec: if there is too little of a noise for so many folds.
        CheckpointMissing: if weights are neither here nor to be had.
    """
    cells = [cell for cell in study.cells if cell.refused is None]
    upstreams = _upstreams(cells)
    desk = _JobBuilder(
        study,
        cells,
        {label: _identified(one, store) for label, one in upstreams.items()},
        {label: one.card.describe(one.options) for label, one in upstreams.items()},
        _surveyed(study, store, progress),
    )
    return [desk.job(cell) for cell in cells]


def _upstreams(cells: Sequence[Cell]) -> dict[str, ConfiguredCard[UpstreamCard]]:
    """Give the upstreams of cells, and of the cells behind them, by label."""
    shown = chain.from_iterable((cell, *cell.candidates) for cell in cells)
    every = chain.from_iterable((one, one.joint) for one in shown)
    return {one.upstream.label: one.upstream for one in every if one is not None}


def _identified(
    upstream: ConfiguredCard[UpstreamCard], store: Store
) -> dict[str, ResolvedUpstream]:
    return {
        name: resolve_upstream(one, store) for name, one in parts_of(upstream).items()
    }


@dataclass(slots=True)
class _JobBuilder:
    """Makes jobs of cells.

    Attributes:
        study: That they are of.
        cells: All that can exist.
        models: By the label of the upstream, by the names of its parts.
        stored: Likewise, all groups that it gives.
        clips: By the label of the corpus.
    """

    study: Study
    cells: Sequence[Cell]
    models: Mapping[str, Mapping[str, ResolvedUpstream]]
    stored: Mapping[str, Groups]
    clips: Mapping[str, Sequence[Clip]]
    _parts: dict[str, TrainingCondition] = field(default_factory=dict)

    def job(self, cell: Cell, *, tunes: bool = False) -> Job:
        """Make the job of a cell.

        Args:
            cell: The cell.
            tunes: Whether an upstream is tuned under its head.
        """
        opened, own = self.study.corpora[cell.corpus.label], self._part(cell)
        trained = trained_on(cell, self.cells)
        tuning = None
        if cell.joint is not None:
            joint = self.job(cell.joint, tunes=True)
            tuning = FineTuning(joint, cell.upstream.options["lr"])
            tunes = cell.joint.downstream == cell.downstream
        return Job(
            cell,
            own.extraction,
            opened,
            self.clips[cell.corpus.label],
            own.keys,
            self.stored[cell.upstream.label],
            opened.splits,
            cell.protocol.details(
                cell.downstream.card,
                opened.splits,
                unit_label(opened.corpus, opened.splits),
                [str(one) for one in trained],
                tunes=tunes,
            ),
            [self._part(cell, one) for one in trained],
            [self.job(candidate) for candidate in cell.candidates],
            tuning,
            self.job(with_mean_head(cell)) if cell.reads_frames else None,
        )

    def _part(
        self, cell: Cell, condition: Condition | None = None
    ) -> TrainingCondition:
        """Give a cell's corpus in its condition, or in another."""
        under = condition or cell.condition
        name = f"{cell.upstream.label} {cell.corpus.label} {under}"
        if name not in self._parts:
            opened = self.study.corpora[cell.corpus.label]
            extraction = HeadInput(
                {
                    part: one.extraction(opened, under, cell.protocol.mix_seed)
                    for part, one in self.models[cell.upstream.label].items()
                }
            )
            keys = extraction.keys(self.clips[cell.corpus.label])
            self._parts[name] = TrainingCondition(extraction, keys)
        return self._parts[name]


def _surveyed(
    study: Study, store: Store, progress: Progress
) -> dict[str, Sequence[Clip]]:
    """Read the audio of every corpus once, and say what is special about it."""
    for label, opened in study.corpora.items():
        for line in _remarks(label, opened.corpus):
            progress.note(line)
    found: dict[str, Sequence[Clip]] = {}
    for label, opened in study.corpora.items():
        clips = read_clips(opened.corpus.utterances, store.file_facts, progress)
        refuse_copies(label, clips, opened.splits)
        opened.refuse_short_noises([clip.samples for clip in clips])
        found[label] = clips
    return found


def trained_on(cell: Cell, cells: Sequence[Cell]) -> list[Condition]:
    """Give the conditions that the head of a cell is trained on.

    Args:
        cell: The cell.
        cells: All of the study, whose conditions ``multi`` joins, in an order that
            does not depend on how they were typed.
    """
    match cell.protocol.training:
        case "matched":
            return [cell.condition]
        case "clean":
            return [Condition()]
        case "multi":
            same = [one for one in cells if one.corpus.label == cell.corpus.label]
            return sorted({one.condition for one in same}, key=lambda one: one.rank)
        case "unseen":
            return [Condition(cell.protocol.unseen, cell.condition.snr)]


def needed(jobs: Sequence[Job], extraction: Extraction) -> list[Form]:
    """Give the forms that jobs need of an extraction that all of them read.

    Pooled features cost nothing beside frames, and transcripts nothing beside either.
    """
    forms: list[Form] = ["pooled"]
    if any(job.cell.reads_frames for job in jobs):
        forms.append("frames")
    if extraction.transcribes:
        forms.append("transcripts")
    return forms


def _remarks(label: str, corpus: Corpus) -> Iterator[str]:
    """Say what a user should know of a corpus before it is used."""
    if corpus.edition:
        yield f"{label}: {corpus.edition}"
    if corpus.remark:
        yield f"{label}: {corpus.remark}"
    for name, why in corpus.left_out.items():
        yield f"{label}: {name} is left out: {why}"
