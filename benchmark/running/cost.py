"""Estimate what a study would cost, from timed samples of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from nserbench.benchmark.extraction.batches import concurrency, kept_entries
from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.extraction.need import Pass
from nserbench.benchmark.jobs.job import FineTuning, Job
from nserbench.benchmark.jobs.needs import NamedNeed, Needs, head_entries
from nserbench.benchmark.jobs.prepare import PreparedStudy
from nserbench.benchmark.running.cheaper import Suggestion, suggestions
from nserbench.benchmark.running.makespan import makespan
from nserbench.benchmark.running.planned_tasks import (
    PricedPass,
    PricedShare,
    tasks_of,
)
from nserbench.benchmark.running.runner import without_result
from nserbench.benchmark.running.shares import divide
from nserbench.benchmark.running.stopwatch import Stopwatch
from nserbench.benchmark.running.timed_extraction import (
    Samples,
    sample_key,
    with_original_weights,
)
from nserbench.benchmark.running.timed_steps import StepSamples
from nserbench.benchmark.running.timed_training import TrainingSamples, training_key
from nserbench.benchmark.running.trainings import (
    MissingTrainings,
    Training,
    fine_tuned_size,
)
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.benchmark.study.splits import Split
from nserbench.progress import Progress


@dataclass(frozen=True, slots=True)
class ExtractionPass:
    """A pass of an upstream that makes what the store lacks of a condition.

    Attributes:
        utterances: Number of utterances.
        groups: Groups that are read; none if the transcripts alone are.
        forms: Forms that are stored.
        transcribes: Whether the upstream has to transcribe, which takes long.
        size: Bytes that the features will take in the store.
        seconds: Estimated time of the extraction.
    """

    upstream: str
    corpus: str
    condition: str
    utterances: int
    groups: tuple[str, ...]
    forms: tuple[Form, ...]
    transcribes: bool
    size: float
    seconds: float


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a study would cost on this machine while nothing else runs on it.

    Attributes:
        missing: Number of cells to run.
        there: Number of cells that have a result.
        refused: Cells that cannot exist, each with the reason.
        passes: Passes that no earlier study of the same command needs.
        tuning: Estimated seconds to fine-tune all upstreams.
        training: Estimated seconds to train all heads.
        weights: Bytes of the heads and fine-tuned upstreams that will be stored.
    """

    missing: int
    there: int
    refused: Sequence[str]
    passes: Sequence[ExtractionPass]
    tuning: float
    training: float
    weights: float

    @property
    def extraction(self) -> float:
        """Estimated seconds of all passes."""
        return sum(one.seconds for one in self.passes)

    @property
    def seconds(self) -> float:
        """Estimated seconds of all that there is to do."""
        return self.extraction + self.tuning + self.training

    @property
    def features(self) -> float:
        """Bytes of the features that will be stored."""
        return sum(one.size for one in self.passes)


def together(estimates: Sequence[CostEstimate]) -> CostEstimate:
    """Return the sum of the estimates of a command's studies."""
    return CostEstimate(
        missing=sum(estimate.missing for estimate in estimates),
        there=sum(estimate.there for estimate in estimates),
        refused=list(chain.from_iterable(estimate.refused for estimate in estimates)),
        passes=list(chain.from_iterable(estimate.passes for estimate in estimates)),
        tuning=sum(estimate.tuning for estimate in estimates),
        training=sum(estimate.training for estimate in estimates),
        weights=sum(estimate.weights for estimate in estimates),
    )


@dataclass(frozen=True, slots=True)
class _Share:
    """What jobs that run together have to do."""

    jobs: Sequence[Job]
    tunings: Sequence[tuple[FineTuning, Split]]
    trainings: Sequence[Training]


@dataclass(frozen=True, slots=True)
class _Work:
    """What the jobs of a study have to do.

    Attributes:
        passes: Each pass, with the extraction that it belongs to.
    """

    prepared: PreparedStudy
    passes: Sequence[tuple[NamedNeed, Pass]]
    shares: Sequence[_Share]


@dataclass(slots=True)
class Planner:
    """Estimates the cost of the cells that have no result.

    What several studies share is counted in the first of them.

    Attributes:
        store: Where features and heads will be stored.
        results: Folder of results.
        watch: Times the samples.
        progress: Receives what is being timed.
        workers: Number of workers that share the cells; None for this process alone.
        elapsed: Estimated seconds until all is done, after `estimate`.
        cheaper: Heads that would at least halve the sum, after `estimate`.
    """

    store: Store
    results: Path
    watch: Stopwatch
    progress: Progress
    workers: int | None = None
    elapsed: float = 0.0
    cheaper: Sequence[Suggestion] = ()
    _samples: Samples = field(init=False)
    _heads: TrainingSamples = field(init=False)
    _steps: StepSamples = field(init=False)
    _passes: list[PricedPass] = field(default_factory=list)
    _shares: list[PricedShare] = field(default_factory=list)

    def __post_init__(self) -> None:
        models = ModelCache(self.watch.device)
        self._samples = Samples(models, self.watch, self.progress.note)
        self._heads = TrainingSamples(self._samples, self.watch)
        self._steps = StepSamples(self._samples, self.watch)

    @property
    def small(self) -> list[str]:
        """What was timed on a smaller sample than planned, since time was short."""
        return [*self._samples.small, *self._heads.small]

    def estimate(self, studies: Sequence[PreparedStudy]) -> list[CostEstimate]:
        """Return the estimated cost of each study of a command.

        Raises:
            NserbenchError: if a model cannot be loaded.
        """
        todo = without_result(studies, self.results)
        jobs = chain.from_iterable(one.jobs_to_run for one in todo)
        needs = Needs(jobs, self.store)
        works = self._works(todo, needs)
        self.watch.samples = _sample_count(works)
        costs = [self._cost(work) for work in works]
        self.elapsed = sum(cost.seconds for cost in costs)
        rough = self.small
        every = chain.from_iterable(share.trainings for share in self._shares)
        self.cheaper = suggestions([*every], self.elapsed, self._heads.seconds)
        self._heads.small = {name: None for name in self._heads.small if name in rough}
        if self.workers is not None:
            tasks = tasks_of(self._passes, self._shares, needs, self.workers)
            self.elapsed = makespan(tasks, self.workers)
        return costs

    def _works(self, studies: Sequence[PreparedStudy], needs: Needs) -> list[_Work]:
        missing = MissingTrainings(self.store)
        counted: set[str] = set()
        works = []
        for prepared in studies:
            todo = prepared.jobs_to_run
            own = Needs(todo, self.store).names
            new = [one for one in needs if one.name in own and one.name not in counted]
            counted.update(own)
            passes = [
                (one, each) for one in new for each in one.need.passes(self.store)
            ]
            shares = [
                _Share(jobs, missing.fine_tunings(jobs), missing.of(jobs))
                for jobs in ([todo] if self.workers is None else divide(todo))
            ]
            works.append(_Work(prepared, passes, shares))
        return works

    def _cost(self, work: _Work) -> CostEstimate:
        prepared = work.prepared
        count, cells = len(prepared.jobs_to_run), prepared.study.cells
        passes = [self._pass(one, named) for named, one in work.passes]
        shares = [self._priced(share) for share in work.shares]
        self._shares += shares
        return CostEstimate(
            missing=count,
            there=len(prepared.jobs) - count,
            refused=[f"{cell}: {cell.refused}" for cell in cells if cell.refused],
            passes=passes,
            tuning=sum(share.tuning for share in shares),
            training=sum(share.training for share in shares),
            weights=sum(map(self._stored, work.shares)),
        )

    def _priced(self, share: _Share) -> PricedShare:
        return PricedShare(
            share.jobs,
            sum(self._tuning_seconds(*one) for one in share.tunings),
            [(one, self._heads.seconds(one)) for one in share.trainings],
        )

    def _stored(self, share: _Share) -> int:
        """Return the bytes of the weights that a share will store."""
        tuned = sum(self._tuned_size(tuning) for tuning, _ in share.tunings)
        return tuned + sum(training.size for training in share.trainings)

    def _pass(self, one: Pass, named: NamedNeed) -> ExtractionPass:
        """Return the estimated cost of a pass."""
        extraction, clips = one.extraction, list(one.clips.values())
        sample = self._samples.of(extraction, clips, one.entries)
        features = self.store.features(extraction.identity)
        kept = kept_entries(one, sample.features, features)
        loaded = self._samples.models.open(with_original_weights(extraction))
        seconds = sample.seconds(clips, concurrency(extraction, loaded, clips).at_once)
        self._passes.append(PricedPass(named.name, one, seconds))
        described = extraction.card.describe(extraction.upstream.bound.options).groups
        return ExtractionPass(
            upstream=extraction.upstream.bound.label,
            corpus=named.corpus,
            condition=extraction.condition,
            utterances=len(clips),
            groups=tuple(name for name in described if name in one.groups),
            forms=one.forms,
            transcribes=one.transcribes,
            size=sum(map(sample.size, kept.values())),
            seconds=seconds,
        )

    def _tuning_seconds(self, tuning: FineTuning, split: Split) -> float:
        """Return the estimated seconds to fine-tune an upstream on one fold.

        A step counts as several passes without gradients; see `StepSamples`.
        """
        joint = tuning.joint
        extraction = joint.extraction.alone
        entries = head_entries(joint, extraction, joint.layers)
        sample = self._samples.of(extraction, joint.clips, entries)
        clips = [joint.clips[row] for row in split.train]
        epochs = len(joint.training) * joint.recipe.epochs
        return self._steps.passes(tuning) * epochs * sample.seconds(clips)

    def _tuned_size(self, tuning: FineTuning) -> int:
        extraction = tuning.joint.extraction.alone
        upstream = self._samples.models.open(extraction).upstream.model
        assert upstream is not None  # noqa: S101 - only a model can be fine-tuned
        return fine_tuned_size(tuning, upstream, self.store)


def _sample_count(works: Sequence[_Work]) -> int:
    """Return the number of samples that have to be taken."""
    passes = {
        sample_key(one.extraction, one.entries)
        for work in works
        for _, one in work.passes
    }
    shares = chain.from_iterable(work.shares for work in works)
    trainings = {training_key(each) for share in shares for each in share.trainings}
    return len(passes) + len(trainings)
