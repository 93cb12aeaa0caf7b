"""Features of clips that were not extracted: those of one sampled clip, copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.running.timed_extraction import Samples
from nserbench.downstreams.base import Tier
from nserbench.upstreams.base import LayeredFeatures


@dataclass(frozen=True, slots=True)
class SampledFeatures:
    """Reads as a store does, with the features of one clip in place of all.

    A clip that is twice as long has twice as many frames.

    Attributes:
        sample: Features of a clip, a batch of one.
        lengths: Length of each clip in multiples of that clip, by key.
    """

    sample: LayeredFeatures
    lengths: Mapping[str, float]

    def read(self, tier: Tier, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group, as `Features.read`."""
        states = self.sample[group].states[layers.start : layers.stop, 0].cpu()
        if tier == "pooled":
            return states.mean(dim=1).float().numpy()
        frames = np.arange(self.frames(key, group)) % states.shape[1]
        return states[:, frames].half().numpy()

    def frames(self, key: str, group: str) -> int:
        """Return the number of frames of a clip, as `Features.frames`."""
        frames = self.sample[group].states.shape[2]
        return frames if frames == 1 else max(1, round(frames * self.lengths[key]))


def features_of(job: Job, samples: Samples) -> LayeredFeatures:
    """Return the sampled features of all upstreams of a cell."""
    own = job.extraction.own_groups(job.cell.groups)
    timed = {
        name: samples.features(job.extraction.parts[name], job.clips, groups)
        for name, groups in own.items()
    }
    return {
        f"{name}.{group}".lstrip("."): states
        for name, features in timed.items()
        for group, states in features.items()
    }
