"""From cells to jobs: read audio, digest weights, and give every cell its identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from nserbench.benchmark.extraction.clips import (
    Clip,
    clip_notes,
    clips_over,
    read_clips,
)
from nserbench.benchmark.extraction.head_input import HeadInput
from nserbench.benchmark.extraction.resolve_checkpoints import (
    ResolvedUpstream,
    resolve_upstream,
)
from nserbench.benchmark.extraction.unknown_languages import unknown_languages
from nserbench.benchmark.jobs.job import FineTuning, Job, TrainingCondition
from nserbench.benchmark.jobs.leaks import refuse_copies
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.cell import Cell, Condition, with_mean_head
from nserbench.benchmark.study.overlap import unit_label
from nserbench.benchmark.study.study import REPLACED, Study
from nserbench.cards import ConfiguredCard
from nserbench.corpora.audio import SAMPLE_RATE
from nserbench.corpora.base import Corpus
from nserbench.errors import Missing
from nserbench.matmul_trial import wanted
from nserbench.progress import Progress
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.groups import Description
from nserbench.upstreams.side_by_side import parts_of


@dataclass(frozen=True, slots=True)
class PreparedStudy:
    """A study with a job for each cell that can exist.

    Attributes:
        todo: Positions of the jobs that are to be run.
    """

    study: Study
    jobs: Sequence[Job]
    todo: Sequence[int]

    @property
    def jobs_to_run(self) -> list[Job]:
        """The jobs that are to be run."""
        return [self.jobs[position] for position in self.todo]


def prepare_study(study: Study, store: Store, progress: Progress) -> PreparedStudy:
    """Return a study with its jobs, all of them to be run; errors as for `prepare`."""
    jobs = prepare(study, store, progress)
    return PreparedStudy(study, jobs, range(len(jobs)))


def prepare_studies(
    studies: Sequence[Study], store: Store, progress: Progress
) -> list[PreparedStudy]:
    """Return studies with their jobs; the checkpoints of all are found first.

    Raises:
        NserbenchError: as for `prepare`.
        SeveralMissing: if several checkpoints are missing.
    """
    if len(studies) > 1:
        _find_checkpoints(studies, store)
    return [prepare_study(study, store, progress) for study in studies]


@own_state()
def _find_checkpoints(studies: Sequence[Study], store: Store) -> None:
    missing = Missing()
    for study in studies:
        with missing.gather():
            _resolved(_upstreams(study.possible), store)
    missing.refuse()


@own_state()
def prepare(study: Study, store: Store, progress: Progress) -> list[Job]:
    """Digest audio and checkpoints, and return a job for every cell that can run.

    Raises:
        BadAudio: if any audio file cannot be used.
        BadSettings: if a library is asked for that does not exist.
        BadCorpus: if the same audio is in a training set and its test set.
        BadSpec: if a noise is too short for the number of folds.
        CheckpointMissing: if weights are not on this machine and cannot be downloaded.
    """
    wanted()  # refuses an unknown library of matrices before anything is computed
    cells = study.possible
    upstreams = _upstreams(cells)
    builder = _JobBuilder(
        study,
        cells,
        _resolved(upstreams, store),
        {label: u.card.describe(u.options) for label, u in upstreams.items()},
        _read_corpora(study, store, progress),
    )
    notes = (
        _unused_notes(study),
        _cut_notes(cells, builder.clips),
        _language_notes(cells, builder),
    )
    for line in chain.from_iterable(notes):
        progress.note(line)
    return [builder.job(cell) for cell in cells]


def _upstreams(cells: Sequence[Cell]) -> dict[str, ConfiguredCard[UpstreamCard]]:
    """Return the upstreams of cells, candidates and fine-tuned ones, by label."""
    fitted = chain.from_iterable((cell, *cell.candidates) for cell in cells)
    every = chain.from_iterable((cell, *cell.fine_tuned) for cell in fitted)
    return {cell.upstream.label: cell.upstream for cell in every}


def _resolved(
    upstreams: Mapping[str, ConfiguredCard[UpstreamCard]], store: Store
) -> dict[str, dict[str, ResolvedUpstream]]:
    """Return the resolved parts of each upstream, by its label and the part's name."""
    resolved: dict[str, dict[str, ResolvedUpstream]] = {
        label: {} for label in upstreams
    }
    missing = Missing()
    for label, upstream in upstreams.items():
        for name, part in parts_of(upstream).items():
            with missing.gather():
                resolved[label][name] = resolve_upstream(part, store)
    missing.refuse()
    return resolved


@dataclass(slots=True)
class _JobBuilder:
    """Makes jobs of cells.

    Attributes:
        study: The study of the cells.
        cells: All cells of the study that can run.
        models: Resolved parts of each upstream, by its label and the part's name.
        described: What is known about each upstream, by its label.
        clips: Clips of each corpus, by its label.
    """

    study: Study
    cells: Sequence[Cell]
    models: Mapping[str, Mapping[str, ResolvedUpstream]]
    described: Mapping[str, Description]
    clips: Mapping[str, Sequence[Clip]]
    _conditions: dict[str, TrainingCondition] = field(default_factory=dict)

    def job(self, cell: Cell, *, fine_tunes: bool = False) -> Job:
        """Make the job of a cell.

        Args:
            cell: The cell.
            fine_tunes: Whether an upstream is fine-tuned with its head.
        """
        opened, tested = self.study.corpora[cell.corpus.label], self._in_condition(cell)
        trained = training_conditions(cell, self.cells)
        tuning = None
        if cell.joint is not None:
            joint = self.job(cell.joint, fine_tunes=True)
            frozen = self.described[cell.joint.upstream.label].frozen
            teacher = None if cell.teacher is None else self.job(cell.teacher).tuning
            options = cell.upstream.options
            lora = options.get("lora")
            tuning = FineTuning(joint, options["lr"], frozen, lora, teacher)
            fine_tunes = cell.joint.downstream == cell.downstream
        return Job(
            cell,
            tested.extraction,
            opened,
            self.clips[cell.corpus.label],
            tested.keys,
            self.described[cell.upstream.label].groups,
            opened.splits,
            cell.protocol.details(
                cell.downstream.card,
                opened.splits,
                unit_label(opened.corpus, opened.splits),
                [str(condition) for condition in trained],
                tunes=fine_tunes,
                fresh=fine_tunes and cell.upstream.card.always_trained,
            ),
            [self._in_condition(cell, condition) for condition in trained],
            [self.job(candidate) for candidate in cell.candidates],
            tuning,
            self.job(with_mean_head(cell)) if cell.reads_frames else None,
        )

    def _in_condition(
        self, cell: Cell, condition: Condition | None = None
    ) -> TrainingCondition:
        """Return a cell's corpus in its own condition, or in another."""
        condition = condition or cell.condition
        name = f"{cell.upstream.label} {cell.corpus.label} {condition}"
        if name not in self._conditions:
            opened = self.study.corpora[cell.corpus.label]
            extraction = HeadInput(
                {
                    part: model.extraction(opened, condition, cell.protocol.mix_seed)
                    for part, model in self.models[cell.upstream.label].items()
                }
            )
            keys = extraction.keys(self.clips[cell.corpus.label])
            self._conditions[name] = TrainingCondition(extraction, keys, digest(keys))
        return self._conditions[name]


def _read_corpora(
    study: Study, store: Store, progress: Progress
) -> dict[str, Sequence[Clip]]:
    """Read the audio of every corpus once; show remarks about the corpora first."""
    for label, opened in study.corpora.items():
        for line in _remarks(label, opened.corpus):
            progress.note(line)
    read: dict[str, Sequence[Clip]] = {}
    for label, opened in study.corpora.items():
        clips = read_clips(opened.corpus.utterances, store.file_facts, progress)
        for line in clip_notes(clips):
            progress.note(f"{label}: {line}")
        for name in sorted(opened.replaced):
            progress.note(f"{label}: the noise {name} {REPLACED}")
        refuse_copies(label, clips, opened.splits)
        opened.refuse_short_noises([clip.samples for clip in clips])
        read[label] = clips
    return read


def _unused_notes(study: Study) -> Iterator[str]:
    """Say that SNRs are given, but no noise."""
    noises = chain.from_iterable(one.noises for one in study.corpora.values())
    if [*study.request.snrs] != [0.0] and not any(noises):
        yield "the SNRs have no effect, since no noise is named, as in CORPUS-NOISE"


def _cut_notes(
    cells: Sequence[Cell], clips: Mapping[str, Sequence[Clip]]
) -> Iterator[str]:
    """Say of how many clips an upstream receives only the beginning."""
    pairs = {
        (cell.upstream.label, cell.corpus.label): cell.upstream.card.max_samples
        for cell in cells
    }
    for (upstream, corpus), longest in pairs.items():
        if count := len(clips_over(clips[corpus], longest)):
            clip = "clip is" if count == 1 else "clips are"
            seconds = (longest or 0) / SAMPLE_RATE
            yield f"{upstream}: {count} {clip} cut to {seconds:g} s in {corpus}"


def _language_notes(cells: Sequence[Cell], builder: _JobBuilder) -> Iterator[str]:
    """Say which languages of the corpora the upstreams are not prompted for."""
    pairs = dict.fromkeys((cell.upstream.label, cell.corpus.label) for cell in cells)
    lines = (
        unknown_languages(model.upstreams, corpus, builder.clips[corpus])
        for upstream, corpus in pairs
        for model in builder.models[upstream].values()
    )
    return iter(dict.fromkeys(chain.from_iterable(lines)))


def training_conditions(cell: Cell, cells: Sequence[Cell]) -> list[Condition]:
    """Return the conditions in which the head of a cell is trained.

    Args:
        cell: The cell.
        cells: All cells of the study, whose conditions ``multi`` joins, in an order
            that does not depend on how they were typed.
    """
    match cell.protocol.training:
        case "matched":
            return [cell.condition]
        case "clean":
            return [Condition()]
        case "multi":
            same = [other for other in cells if other.corpus.label == cell.corpus.label]
            return sorted({other.condition for other in same}, key=lambda c: c.rank)
        case "unseen":
            return [Condition(cell.protocol.unseen, cell.condition.snr)]


def _remarks(label: str, corpus: Corpus) -> Iterator[str]:
    """Yield what a user should know about a corpus before it is used."""
    if corpus.edition:
        yield f"{label}: {corpus.edition}"
    if corpus.remark:
        yield f"{label}: {corpus.remark}"
    for warning in corpus.warnings:
        yield f"{label}: {warning}"
    for name, why in corpus.left_out.items():
        yield f"{label}: {name} is left out: {why}"
