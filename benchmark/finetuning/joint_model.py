"""An upstream and a head that are trained together."""

from __future__ import annotations

import math
from itertools import chain

import torch
from torch import Tensor, nn

from nserbench.benchmark.extraction.tuned_weights import (
    set_train_mode,
    trainable,
    trainable_state,
)
from nserbench.benchmark.jobs.job import FineTuning, Job
from nserbench.benchmark.training.fit_one import note_received
from nserbench.benchmark.training.loss import grad_norm
from nserbench.benchmark.training.moments import Moments
from nserbench.benchmark.training.sources import places
from nserbench.downstreams.pooling import mean_over_time
from nserbench.errors import NserbenchError
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream


class JointModel:
    """An upstream and a head that are trained together.

    Args:
        job: Of the head.
        upstream: Loaded afresh.
        head: With fresh weights, on the device of the upstream.
        tuning: How the upstream is tuned.
    """

    def __init__(
        self, job: Job, upstream: Upstream, head: nn.Module, tuning: FineTuning
    ) -> None:
        if upstream.model is None:
            raise NserbenchError(
                f"{job.cell.upstream.label} has no model, against what its card says"
            )
        self.job, self.upstream, self.head = job, upstream, head
        self.model, self._frozen = upstream.model, tuning.frozen
        self.train()
        groups = [
            (trainable(self.model), tuning.learning_rate),
            (trainable(self.head), job.recipe.learning_rate),
        ]
        self.rates = [rate for _, rate in groups]
        self.optimiser = torch.optim.Adam(
            [{"params": list(own.values()), "lr": rate} for own, rate in groups],
            fused=True,
        )

    def train(self) -> None:
        """Put both in training mode."""
        set_train_mode(self.model, self._frozen)
        self.head.train()

    def eval(self) -> None:
        """Put both in evaluation mode."""
        self.model.eval()
        self.head.eval()

    def logits(self, batch: Batch, received: Moments | None = None) -> Tensor:
        """Give the logits of some utterances, ``(batch, classes)``, in float32.

        Args:
            batch: The utterances.
            received: Notes what the head receives; None to note nothing.
        """
        device, narrow = self.upstream.device, self.job.recipe.precision == "bf16"
        kind = torch.device(device).type
        with torch.autocast(
            kind, torch.bfloat16, enabled=narrow and torch.is_grad_enabled()
        ):
            features = chosen(self.job, self.upstream.forward(batch))
            if received is not None:
                note_received(received, self.head, self._read(features))
            logits: Tensor = self.head(features)
        return logits.float()

    def _read(self, features: dict[str, LayerGroup]) -> dict[str, LayerGroup]:
        """Return what the head works on: frames, or their means over time."""
        if self.job.cell.reads_frames:
            return features
        return {
            name: LayerGroup(
                mean_over_time(one.states, one.lengths).unsqueeze(2),
                torch.ones_like(one.lengths),
            )
            for name, one in features.items()
        }

    def state(self) -> dict[str, Tensor]:
        """Give all that training changes."""
        both = {
            "upstream": trainable_state(self.model),
            "head": trainable_state(self.head),
        }
        return {
            f"{whose}.{name}": one
            for whose in both
            for name, one in both[whose].items()
        }

    def step(self, share: float) -> float:
        """Let Adam take a step, and give the norm of the gradient.

        Args:
            share: Of the learning rates.
        """
        groups = self.optimiser.param_groups
        norm = grad_norm(chain.from_iterable(group["params"] for group in groups))
        if math.isfinite(norm):
            for group, rate in zip(groups, self.rates, strict=True):
                group["lr"] = rate * share
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return norm


def chosen(job: Job, features: LayeredFeatures) -> dict[str, LayerGroup]:
    """Return the groups and layers that the head of a job reads, in float32."""
    found = {}
    for name, spec in job.cell.groups.items():
        at, group = places(job.stored[name], spec.layers), features[name]
        states = group.states[at.start : at.stop].float()
        found[name] = LayerGroup(states, group.lengths)
    return found
