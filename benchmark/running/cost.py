"""Estimate what a study would cost, from timed samples of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from nserbench.benchmark.extraction.extract import ModelCache, kept_entries
from nserbench.benchmark.extraction.need import Pass
from nserbench.benchmark.jobs.job import FineTuning
from nserbench.benchmark.jobs.needs import NamedNeed, Needs, head_entries
from nserbench.benchmark.jobs.prepare import PreparedStudy
from nserbench.benchmark.running.runner import without_result
from nserbench.benchmark.running.stopwatch import Stopwatch
from nserbench.benchmark.running.timed_extraction import Samples, sample_key
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
class _Work:
    """What the jobs of a study have to do.

    Attributes:
        passes: Each pass, with the label of the corpus.
        tunings: Folds of upstreams that are fine-tuned.
        trainings: Heads that are trained.
    """

    prepared: PreparedStudy
    passes: Sequence[tuple[str, Pass]]
    tunings: Sequence[tuple[FineTuning, Split]]
    trainings: Sequence[Training]


@dataclass(slots=True)
class Planner:
    """Estimates the cost of the cells that have no result.

    What several studies share is counted in the first of them.

    Attributes:
        store: Where features and heads will be stored.
        results: Folder of results.
        watch: Times the samples.
        progress: Receives what is being timed.
    """

    store: Store
    results: Path
    watch: Stopwatch
    progress: Progress
    _samples: Samples = field(init=False)
    _heads: TrainingSamples = field(init=False)

    def __post_init__(self) -> None:
        models = ModelCache(self.watch.device)
        self._samples = Samples(models, self.watch, self.progress.note)
        self._heads = TrainingSamples(self._samples, self.watch)

    @property
    def small(self) -> list[str]:
        """What was timed on a smaller sample than planned, since time was short."""
        return [*self._samples.small, *self._heads.small]

    def estimate(self, studies: Sequence[PreparedStudy]) -> list[CostEstimate]:
        """Return the estimated cost of each study of a command.

        Raises:
            NserbenchError: if a model cannot be loaded.
        """
        works = self._works(without_result(studies, self.results))
        self.watch.samples = _sample_count(works)
        return [self._cost(work) for work in works]

    def _works(self, studies: Sequence[PreparedStudy]) -> list[_Work]:
        jobs = chain.from_iterable(one.jobs_to_run for one in studies)
        needs, missing = Needs(jobs, self.store), MissingTrainings(self.store)
        counted: set[str] = set()
        works = []
        for prepared in studies:
            todo = prepared.jobs_to_run
            own = Needs(todo, self.store).names
            new = [one for one in needs if one.name in own and one.name not in counted]
            counted.update(own)
            passes = [(one.corpus, each) for one in new for each in self._passes(one)]
            tunings = missing.fine_tunings(todo)
            works.append(_Work(prepared, passes, tunings, missing.of(todo)))
        return works

    def _passes(self, named: NamedNeed) -> list[Pass]:
        return named.need.passes(self.store)

    def _cost(self, work: _Work) -> CostEstimate:
        prepared = work.prepared
        count, cells = len(prepared.jobs_to_run), prepared.study.cells
        passes = [self._pass(one, corpus) for corpus, one in work.passes]
        tuned = sum(self._tuned_size(tuning) for tuning, _ in work.tunings)
        return CostEstimate(
            missing=count,
            there=len(prepared.jobs) - count,
            refused=[f"{cell}: {cell.refused}" for cell in cells if cell.refused],
            passes=passes,
            tuning=sum(self._tuning_seconds(*one) for one in work.tunings),
            training=sum(map(self._heads.seconds, work.trainings)),
            weights=tuned + sum(training.size for training in work.trainings),
        )

    def _pass(self, one: Pass, corpus: str) -> ExtractionPass:
        """Return the estimated cost of a pass."""
        extraction, clips = one.extraction, list(one.clips.values())
        sample = self._samples.of(extraction, clips, one.entries)
        features = self.store.features(extraction.identity)
        kept = kept_entries(one, sample.features, features)
        described = extraction.card.describe(extraction.upstream.bound.options).groups
        return ExtractionPass(
            upstream=extraction.upstream.bound.label,
            corpus=corpus,
            condition=extraction.condition,
            utterances=len(clips),
            groups=tuple(name for name in described if name in one.groups),
            forms=one.forms,
            transcribes=one.transcribes,
            size=sum(map(sample.size, kept.values())),
            seconds=sample.seconds(clips),
        )

    def _tuning_seconds(self, tuning: FineTuning, split: Split) -> float:
        """Return the estimated seconds to fine-tune an upstream on one fold.

        A step with gradients counts as three forward passes: one forward, two backward.
        """
        joint = tuning.joint
        extraction = joint.extraction.alone
        entries = head_entries(joint, extraction, [*joint.cell.groups])
        sample = self._samples.of(extraction, joint.clips, entries)
        clips = [joint.clips[row] for row in split.train]
        epochs = len(joint.training) * joint.recipe.epochs
        return 3 * epochs * sample.seconds(clips)

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
    trainings = {training_key(each) for work in works for each in work.trainings}
    return len(passes) + len(trainings)
