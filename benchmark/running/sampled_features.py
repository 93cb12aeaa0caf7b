"""Features of clips that were not extracted: those of one sampled clip, copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.running.timed_extraction import Samples
from nserbench.benchmark.store.feature_store import Form
from nserbench.benchmark.store.frame_codes import encode, range_of
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

    def read(self, form: Form, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group, as `Features.read`."""
        name = next(name for name in self.sample if group in (name, range_of(name)))
        states = self.sample[name].states[layers.start : layers.stop, 0].cpu()
        if form == "pooled":
            return states.mean(dim=1).float().numpy()
        frames = np.arange(self.frames(form, key, name, layers)) % states.shape[1]
        values = states[:, frames].half().numpy()
        return encode({name: values})[group] if form == "frames_int8" else values

    def frames(self, form: Form, key: str, group: str, layers: range) -> int:
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
