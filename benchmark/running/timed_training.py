"""Time the training of heads on few utterances, to estimate that on all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import torch

from nserbench.benchmark.extraction.batches import received
from nserbench.benchmark.jobs.head import empty_head, seeds_of
from nserbench.benchmark.running.sampled_features import SampledFeatures, features_of
from nserbench.benchmark.running.stopwatch import Stopwatch, largest
from nserbench.benchmark.running.timed_extraction import Samples, middle
from nserbench.benchmark.running.trainings import Training
from nserbench.benchmark.training.batch_streams import HeadTraining
from nserbench.benchmark.training.batching import shuffled
from nserbench.benchmark.training.fit_one import predict, train_head
from nserbench.benchmark.training.fit_stack import fit_together
from nserbench.benchmark.training.gpu_source import on_device
from nserbench.benchmark.training.sources import (
    FeatureSource,
    FrameSource,
    PooledSource,
)
from nserbench.upstreams.base import LayeredFeatures

_EPOCHS = 2
"""Epochs that are timed at first after a first one, if there is time."""
_ENOUGH = 0.5
"""Seconds of epochs after which their mean is sure enough."""
_BATCHES = (1, 4, 16)
"""Batches of a sample, as far as the time allows."""
_TIMES = 3
"""How many times larger than the smallest sample the next one is. Both are taken."""
_PART, _LEAST = 0.1, 0.5
"""Part of a training's own time that larger samples may take, and least seconds."""


@dataclass(frozen=True, slots=True)
class TimedTraining:
    """Seconds of a training.

    Attributes:
        once: What does not depend on the number of epochs: building the heads, reading
            the features for the first time, and the test.
        epoch: One epoch, with the predictions of the dev set if there is one.
        batches: Batches of an epoch, of which these are the seconds.
        whole: Whether the sample was at least one batch.
    """

    once: float
    epoch: float
    batches: int = 1
    whole: bool = True

    def seconds(self, epochs: float, batches: int) -> float:
        """Return the estimated time of epochs with some number of batches each."""
        return (self.once + epochs * self.epoch) * batches / self.batches


@dataclass(frozen=True, slots=True)
class _Sample:
    """What a training on a number of utterances took.

    Attributes:
        once: Seconds of what is done once, such as building the heads.
        epoch: Seconds of an epoch.
        test: Estimated seconds of the test on all test utterances.
    """

    size: int
    once: float
    epoch: float
    test: float


@dataclass(slots=True)
class TrainingSamples:
    """Timed trainings, each taken once.

    Attributes:
        samples: Timed extractions, from which the features come.
        watch: Times them.
        small: Upstreams and heads whose samples are smaller than they should be.
    """

    samples: Samples
    watch: Stopwatch
    small: dict[str, None] = field(default_factory=dict)
    _taken: dict[tuple[object, ...], TimedTraining] = field(default_factory=dict)

    def seconds(self, training: Training) -> float:
        """Return the estimated seconds of a training on a free machine.

        Raises:
            NserbenchError: if a model cannot be loaded.
        """
        key = training_key(training)
        if key not in self._taken:
            self._taken[key] = self._take(training)
        epochs = fmean(fit.job.recipe.epochs for fit in training.fits)
        return self._taken[key].seconds(epochs, _Sizes.of(training).batches)

    def _take(self, training: Training) -> TimedTraining:
        """Time it on a few batches; on parts of a batch if these take too long."""
        cell, share = training.job.cell, self.watch.share()
        began = self.watch.clocks.wall()
        label = f"{cell.upstream.label} x {cell.downstream.label}"
        self.samples.note(f"timing {label}")
        features = features_of(training.job, self.samples)
        sizes = _Sizes.of(training)
        heads = _TimedHeads(training, features, sizes, self.watch, began + share)
        smallest, *larger = sizes.trials
        heads.train(smallest, 1, heads.source(smallest))  # a warm-up
        samples = [heads.time(smallest)]
        left, worth = began + share - self.watch.clocks.wall(), heads.worth(*samples)
        if larger:
            clock = self.watch.clocks.wall
            samples += largest(larger, heads.time, min(left, worth), clock).results
        timed = sizes.timed([*samples[:-1], heads.longer(samples[-1])])
        if not timed.whole and left < worth:
            self.small[label] = None
        return timed


def training_key(training: Training) -> tuple[object, ...]:
    """Return what is equal for trainings whose time for each batch is the same."""
    job, cell = training.job, training.job.cell
    state = training.head.state_dict()
    return (
        cell.upstream.label,
        cell.corpus.label,
        str(cell.downstream.card.identity),
        str({**cell.downstream.key_options(), "layer": None}),
        str([(name, value.shape) for name, value in state.items()]),
        replace(job.recipe, epochs=0),
        len(training.fits),
        bool(training.fits[0].split.dev),
    )


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How many utterances a training reads.

    Attributes:
        train: Utterances of the training set, on average over the folds.
        dev: Utterances of the dev set.
        test: Utterances of the test set.
        batch: Utterances of a batch.
        classes: Number of classes, which is the smallest sample.
    """

    train: int
    dev: int
    test: int
    batch: int
    classes: int

    @classmethod
    def of(cls, training: Training) -> _Sizes:
        """Return the sizes of a training."""
        job, splits = training.job, [fit.split for fit in training.fits]
        conditions = len(job.training)
        return cls(
            round(conditions * fmean(len(split.train) for split in splits)),
            round(conditions * fmean(len(split.dev) for split in splits)),
            round(fmean(len(split.test) for split in splits)),
            job.recipe.batch_size,
            len(job.opened.corpus.classes),
        )

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-self.train // self.batch)

    @property
    def trials(self) -> list[int]:
        """Utterances of the samples to take, the smallest first."""
        parts = [self.classes, _TIMES * self.classes]
        counts = [*parts, *(count * self.batch for count in _BATCHES)]
        return sorted({min(count, self.train) for count in counts})

    def scale(self, size: int) -> float:
        """Return how many times longer an epoch is than one of a sample."""
        if size == self.train:
            return 1.0
        if size < self.batch:
            return self.train / size
        return self.batches / (size // self.batch)

    def timed(self, samples: Sequence[_Sample]) -> TimedTraining:
        """Return the seconds of a training from samples, the largest last.

        What is done once has a part that does not grow with the utterances. So has a
        step, on a part of a batch; whole batches take their number times as long.
        """
        last = samples[-1]
        before = samples[-2] if len(samples) > 1 else last
        once = last.test + _on_line(before, last, self.train, lambda one: one.once)
        whole = last.size >= min(self.batch, self.train)
        if whole:
            epoch = last.epoch * self.scale(last.size)
        else:
            size = self.train / self.batches
            step = _on_line(before, last, size, lambda one: one.epoch)
            epoch = self.batches * step
        return TimedTraining(once, epoch, self.batches, whole)


def _on_line(
    one: _Sample, other: _Sample, size: float, seconds: Callable[[_Sample], float]
) -> float:
    """Return seconds for a size, on the line through two samples that never falls."""
    if one.size == other.size:
        return seconds(other)
    rise = (seconds(other) - seconds(one)) / (other.size - one.size)
    return seconds(other) + max(0.0, rise) * (size - other.size)


@dataclass(frozen=True, slots=True)
class _TimedHeads:
    """Trains heads on some utterances, with the features of one clip.

    Attributes:
        ends: Time at which the sample should be done.
    """

    training: Training
    features: LayeredFeatures
    sizes: _Sizes
    watch: Stopwatch
    ends: float

    def worth(self, sample: _Sample) -> float:
        """Return the seconds that larger samples are worth on this machine now."""
        epochs = self.training.fits[0].job.recipe.epochs
        whole = epochs * sample.epoch * self.sizes.scale(sample.size)
        return self.watch.load * max(_LEAST, _PART * whole)

    def longer(self, first: _Sample) -> _Sample:
        """Time more epochs of a sample if few took next to no time."""
        epochs = int(_ENOUGH / first.epoch) if first.epoch else 0
        left = self.ends - self.watch.clocks.wall()
        if epochs <= _EPOCHS or self.watch.load * _ENOUGH > left:
            return first
        return self.time(first.size, epochs)

    def time(self, size: int, epochs: int = _EPOCHS) -> _Sample:
        """Time the training on a number of utterances.

        After a first epoch, a second one must do where there is no time for more.
        """
        source = self.source(size)
        first = self.watch.time(lambda: self.train(size, 1, source))
        if self.watch.clocks.wall() + first.wall * (1 + epochs) > self.ends:
            epochs = 1
        more = self.watch.time(lambda: self.train(size, 1 + epochs, source))
        epoch = max(0.0, more.seconds - first.seconds) / epochs
        once = max(0.0, first.seconds - epoch)
        return _Sample(size, once, epoch, self._test(size, source))

    def train(
        self, size: int, epochs: int, source: FeatureSource | None = None
    ) -> None:
        """Train on a number of utterances."""
        source = source or self.source(size)
        rows, labels = torch.arange(size), self._labels(size)
        count = -(-self.sizes.dev * size // self.sizes.train)
        dev = size + torch.arange(count) if count else None
        fit = self.training.fits[0]
        recipe = replace(fit.job.recipe, epochs=epochs)
        classes, device = self.sizes.classes, self.watch.device
        if not self.training.together:
            head, seeds = empty_head(fit).to(device), seeds_of(fit)
            train_head(head, source, rows, labels, classes, recipe, seeds, device, dev)
        elif isinstance(source, PooledSource):
            heads = [
                HeadTraining(
                    empty_head(fit),
                    fit.job.layers,
                    rows,
                    epochs,
                    seeds_of(fit),
                    dev,
                )
                for fit in self.training.fits
            ]
            fit_together(heads, source.states, labels, classes, recipe, device)

    def _test(self, size: int, source: FeatureSource) -> float:
        """Return the seconds to test a head on frames; others take next to none."""
        if self.training.together:
            return 0.0
        head, rows = empty_head(self.training.fits[0]), torch.arange(size)
        head.to(self.watch.device)
        timed = self.watch.time(lambda: predict(head, source, rows, self.watch.device))
        return timed.seconds * self.sizes.test / size

    def _labels(self, size: int) -> torch.Tensor:
        return torch.arange(self._rows(size)) % self.sizes.classes

    def _rows(self, size: int) -> int:
        """Return the number of rows: of the training set, then of the dev set."""
        return size + -(-self.sizes.dev * size // self.sizes.train)

    def source(self, size: int) -> FeatureSource:
        """Return the features of a number of utterances, and of their dev set."""
        job = self.training.job
        keys = [str(row) for row in range(self._rows(size))]
        lengths = dict(zip(keys, self._lengths(size), strict=True))
        reader = SampledFeatures(self.features, lengths)
        groups = {name: job.stored[name] for name in job.cell.groups}
        if self.training.together:  # of which each head reads its own layers
            return PooledSource(reader, keys, job.stored, groups)
        if (form := job.cell.form) == "pooled":
            return PooledSource(reader, keys, job.stored, job.cell.groups)
        source = FrameSource(reader, keys, job.stored, job.cell.groups, form)
        return on_device(source, self.watch.device)

    def _lengths(self, size: int) -> list[float]:
        """Return lengths of clips, in multiples of the sampled clip."""
        job = self.training.job
        limits = [part.card.max_samples for part in job.extraction.parts.values()]
        longest = min((limit for limit in limits if limit is not None), default=None)
        sampled = received(middle(job.clips), longest)
        ratios = sorted(received(clip, longest) / sampled for clip in job.clips)
        lengths = alike(ratios, size, self.sizes.batch, self.sizes.train)
        return lengths + quantiles(ratios, self._rows(size) - size)


def alike(lengths: Sequence[float], count: int, batch: int, train: int) -> list[float]:
    """Return lengths whose batches are, after padding, as long as those of a run.

    Args:
        lengths: Lengths of all clips, the shortest first.
        count: Number of lengths to return.
        batch: Utterances of a batch.
        train: Utterances of the training set.
    """
    found = quantiles(lengths, count)
    if count == train:
        return found
    longer = padded(quantiles(lengths, train), batch) / padded(found, batch)
    return [length * longer for length in found]


def padded(lengths: Sequence[float], batch: int) -> float:
    """Return the mean length of clips after padding, in batches as a run makes them."""
    values = torch.tensor(lengths)
    order = torch.Generator().manual_seed(0)
    batches = shuffled(torch.arange(len(values)), values, batch, order)
    return fmean(float(values[rows].max()) for rows in batches for _ in rows)


def quantiles(lengths: Sequence[float], count: int) -> list[float]:
    """Return lengths that are spread evenly from the shortest to the longest."""
    return [lengths[(2 * n + 1) * len(lengths) // (2 * count)] for n in range(count)]
