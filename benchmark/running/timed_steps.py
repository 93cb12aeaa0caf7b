"""Time a training step of an upstream, in passes without gradients."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from nserbench.benchmark.jobs.job import FineTuning
from nserbench.benchmark.running.stopwatch import Stopwatch
from nserbench.benchmark.running.timed_extraction import Samples, middle
from nserbench.upstreams.base import Batch
from nserbench.upstreams.pair_upstream import PairUpstream, set_teacher

PLAIN = 3.0
"""Passes of a step with gradients: one forward, two backward."""


@dataclass(slots=True)
class StepSamples:
    """Timed training steps, one for each upstream.

    Attributes:
        samples: Opens the upstreams.
        watch: Times them.
    """

    samples: Samples
    watch: Stopwatch
    _taken: dict[str, float] = field(default_factory=dict)

    def passes(self, tuning: FineTuning) -> float:
        """Return how many passes without gradients take as long as a step.

        An upstream that learns from pairs also reads the clean twins.
        """
        models = tuning.joint.extraction.alone.models
        if models not in self._taken:
            self._taken[models] = self._take(tuning)
        return self._taken[models]

    def _take(self, tuning: FineTuning) -> float:
        extraction, clip = tuning.joint.extraction.alone, middle(tuning.joint.clips)
        bound, loaded = extraction.upstream.bound, self.samples.models.open(extraction)
        upstream = loaded.upstream
        if not isinstance(upstream, PairUpstream):
            return PLAIN
        if (of_teacher := bound.card.teacher_options(bound.options)) is not None:
            set_teacher(upstream, bound.card.open(of_teacher, upstream.device))
        texts = [clip.utterance.text]
        batch = extraction.batch([clip], texts, loaded.enhancer)
        clean = extraction.without_noise().batch([clip], texts)
        self._seconds(upstream, batch, clean)  # a warm-up
        alone, both = self._seconds(upstream, batch, clean)
        return PLAIN + max(0.0, both - alone) / alone

    def _seconds(
        self, upstream: PairUpstream, batch: Batch, clean: Batch
    ) -> tuple[float, float]:
        """Return the seconds without and with the losses, both without gradients."""
        with torch.no_grad():
            alone = self.watch.time(lambda: upstream.forward(batch))
            both = self.watch.time(lambda: upstream.forward_and_losses(batch, clean))
        return alone.seconds, both.seconds
