"""Time the training of heads on few utterances, to estimate that on all."""

from __future__ import annotations

from collections.abc import Sequence
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
"""Epochs that are timed at first after a first one."""
_ENOUGH = 0.5
"""Seconds of epochs after which their mean is sure enough."""
_BATCHES = (1, 4, 16)
"""Batches of a sample, as far as the time allows."""


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
        """Time it on a few batches; on a part of a batch if these take too long."""
        cell, share = training.job.cell, self.watch.share()
        began = self.watch.clocks.wall()
        label = f"{cell.upstream.label} x {cell.downstream.label}"
        self.samples.note(f"timing {label}")
        features = features_of(training.job, self.samples)
        sizes = _Sizes.of(training)
        heads = _TimedHeads(training, features, sizes, self.watch, began + share)
        smallest = sizes.trials[0]
        heads.train(smallest, 1, heads.source(smallest))  # a warm-up
        left = share - (self.watch.clocks.wall() - began)
        found = largest(sizes.trials, heads.time, left, self.watch.clocks.wall)
        timed = heads.longer(found.size, found.result)
        if not timed.whole:
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
        counts = [self.classes, *(count * self.batch for count in _BATCHES)]
        return sorted({min(count, self.train) for count in counts})

    def scale(self, size: int) -> float:
        """Return how many times longer an epoch is than one of a sample."""
        if size == self.train:
            return 1.0
        if size < self.batch:
            return self.train / size
        return self.batches / (size // self.batch)


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

    def longer(self, size: int, first: TimedTraining) -> TimedTraining:
        """Time more epochs if few took next to no time.

        Args:
            size: Number of utterances.
            first: What the first epochs took.
        """
        epoch = first.epoch / self.sizes.scale(size)
        epochs = int(_ENOUGH / epoch) if epoch else 0
        left = self.ends - self.watch.clocks.wall()
        if epochs <= _EPOCHS or self.watch.load * _ENOUGH > left:
            return first
        return self.time(size, epochs)

    def time(self, size: int, epochs: int = _EPOCHS) -> TimedTraining:
        """Time the training on a number of utterances, and scale it to all.

        One epoch must do for less than a batch, and where there is no time for more.
        """
        source, scale = self.source(size), self.sizes.scale(size)
        whole = size >= min(self.sizes.batch, self.sizes.train)
        first = self.watch.time(lambda: self.train(size, 1, source))
        one = first.seconds
        if (
            not whole
            or self.watch.clocks.wall() + first.wall * (1 + epochs) > self.ends
        ):
            return TimedTraining(0.0, one * scale, self.sizes.batches, whole)
        more = self.watch.time(lambda: self.train(size, 1 + epochs, source)).seconds
        epoch = max(0.0, more - one) / epochs
        once = max(0.0, one - epoch) * scale + self._test(size, source)
        return TimedTraining(once, epoch * scale, self.sizes.batches, whole)

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
