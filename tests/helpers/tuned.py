"""Figures and weights of fine-tuned upstreams."""

from typing import Any

import torch

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.results.result import Result

FAST = "probe+batch_size=8"
"""A protocol of few steps."""


def probabilities(result: Result) -> Any:
    assert result.predictions is not None
    return result.predictions.probabilities


def weights_of(job: Job, models: ModelCache) -> dict[str, torch.Tensor]:
    model = models.open(job.extraction.alone).upstream.model
    assert model is not None
    return {name: one.detach().clone() for name, one in model.named_parameters()}
