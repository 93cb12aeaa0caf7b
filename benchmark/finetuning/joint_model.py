"""An upstream and a head that are trained together."""

from __future__ import annotations

import math
from itertools import chain

import torch
from torch import Tensor, nn

from nserbench.benchmark.extraction.low_rank import add_low_rank
from nserbench.benchmark.extraction.tuned_weights import (
    set_train_mode,
    trainable,
    trainable_state,
)
from nserbench.benchmark.jobs.job import FineTuning, Job
from nserbench.benchmark.training.feature_statistics import Moments
from nserbench.benchmark.training.fit_one import note_received
from nserbench.benchmark.training.head_output import checked_logits
from nserbench.benchmark.training.loss import grad_norm
from nserbench.downstreams.pooling import mean_over_time
from nserbench.errors import NserbenchError
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream


class JointModel:
    """An upstream and a head that are trained together.

    Args:
        upstream: The upstream with its original weights.
        head: The head with fresh weights, on the device of the upstream.
    """

    def __init__(
        self, job: Job, upstream: Upstream, head: nn.Module, tuning: FineTuning
    ) -> None:
        if upstream.model is None:
            raise NserbenchError(
                f"{job.cell.upstream.label} cannot be fine-tuned: it has no model, "
                "although its card says so"
            )
        self.job, self.upstream, self.head = job, upstream, head
        self.model, self._frozen = upstream.model, tuning.frozen
        if tuning.lora is not None:
            add_low_rank(self.model, tuning.frozen, tuning.lora)
        self.train()
        groups = [
            (trainable(self.model), tuning.learning_rate),
            (trainable(self.head), job.recipe.learning_rate),
        ]
        self.rates = [rate for _, rate in groups]
        self.optimiser = torch.optim.Adam(
            [{"params": list(params.values()), "lr": rate} for params, rate in groups],
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
        """Return the logits of some utterances, ``(batch, classes)``, in float32.

        Args:
            received: Statistics to which the head's input is added; None for none.
        """
        bf16 = self.job.recipe.precision == "bf16" and torch.is_grad_enabled()
        device_type = torch.device(self.upstream.device).type
        with torch.autocast(device_type, torch.bfloat16, enabled=bf16):
            features = head_input(self.job, self.upstream.forward(batch))
            if received is not None:
                note_received(received, self.head, self._as_read(features))
            output = self.head(features)
        classes = len(self.job.opened.corpus.classes)
        return checked_logits(self.head, output, len(batch.ids), classes).float()

    def _as_read(self, features: dict[str, LayerGroup]) -> dict[str, LayerGroup]:
        """Return frames for a head on frames, means over time for a pooled head."""
        if self.job.cell.reads_frames:
            return features
        return {
            name: LayerGroup(
                mean_over_time(group.states, group.lengths).unsqueeze(2),
                torch.ones_like(group.lengths),
            )
            for name, group in features.items()
        }

    def state(self) -> dict[str, Tensor]:
        """Return all weights and buffers that training changes, by name."""
        modules = {"upstream": self.model, "head": self.head}
        return {
            f"{prefix}.{name}": value
            for prefix, module in modules.items()
            for name, value in trainable_state(module).items()
        }

    def step(self, factor: float) -> float:
        """Take a step of Adam if the gradient norm is finite, and return that norm."""
        groups = self.optimiser.param_groups
        norm = grad_norm(chain.from_iterable(group["params"] for group in groups))
        if math.isfinite(norm):
            for group, rate in zip(groups, self.rates, strict=True):
                group["lr"] = rate * factor
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return norm


def head_input(job: Job, features: LayeredFeatures) -> dict[str, LayerGroup]:
    """Return the groups and layers that the head of a job reads, in float32."""
    read = {}
    for name, layers in job.layers.items():
        group = features[name]
        states = group.states[layers.start : layers.stop].float()
        read[name] = LayerGroup(states, group.lengths)
    return read
