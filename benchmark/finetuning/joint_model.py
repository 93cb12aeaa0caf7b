"""An upstream and a head that are trained together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain

import torch
from torch import Tensor, nn

from nserbench.benchmark.extraction.low_rank import add_low_rank
from nserbench.benchmark.extraction.tuned_weights import (
    set_train_mode,
    trainable,
    trainable_state,
)
from nserbench.benchmark.finetuning.step_sums import checked_losses
from nserbench.benchmark.jobs.job import FineTuning, Job
from nserbench.benchmark.training.adam import Adam
from nserbench.benchmark.training.feature_statistics import Moments
from nserbench.benchmark.training.fit_one import note_received
from nserbench.benchmark.training.head_output import checked_logits
from nserbench.benchmark.training.loss import grad_norm
from nserbench.downstreams.pooling import mean_over_time
from nserbench.errors import NserbenchError
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream
from nserbench.upstreams.pair_upstream import FeaturesAndLosses, PairUpstream


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
        self.optimiser = Adam(
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

    def logits(self, batch: Batch) -> Tensor:
        """Return the logits of some utterances, ``(batch, classes)``, in float32."""
        return self.outputs(batch)[0]

    def outputs(
        self,
        batch: Batch,
        clean: Batch | None = None,
        received: Moments | None = None,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the logits of some utterances, and the losses of the upstream.

        Args:
            batch: The utterances.
            clean: Their clean twins, for an upstream that learns from pairs.
            received: Statistics to which the head's input is added; None for none.

        Returns:
            Logits ``(batch, classes)`` in float32, and ``(batch,)`` of each loss; no
            losses without clean twins.
        """
        bf16 = self.job.recipe.precision == "bf16" and torch.is_grad_enabled()
        device_type = torch.device(self.upstream.device).type
        with torch.autocast(device_type, torch.bfloat16, enabled=bf16):
            returned = self._run(batch, clean)
            features = head_input(self.job, returned.features)
            if received is not None:
                note_received(received, self.head, self._as_read(features))
            output = self.head(features)
        rows, classes = len(batch.ids), len(self.job.opened.corpus.classes)
        logits = checked_logits(self.head, output, rows, classes).float()
        return logits, checked_losses(self.upstream, returned.losses, rows)

    def _run(self, batch: Batch, clean: Batch | None) -> FeaturesAndLosses:
        if clean is not None and isinstance(self.upstream, PairUpstream):
            return self.upstream.forward_and_losses(batch, clean)
        return FeaturesAndLosses(self.upstream.forward(batch), {})

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
