"""Check that a head keeps its contract, on random features of several shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from nserbench.benchmark.checks.contract import ContractFinding, Outcome, run_checks
from nserbench.benchmark.training.fit_one import seeded
from nserbench.cards import ConfiguredCard, Options
from nserbench.downstreams.base import DownstreamCard
from nserbench.upstreams.base import LayeredFeatures, LayerGroup
from nserbench.upstreams.groups import Groups, GroupSpec

CLASSES = 3
FRAMES = (9, 14, 1, 5)
"""Frames of each utterance; a pooled head gets one of each."""
TOLERANCE = 1e-4
"""Largest difference of a logit, relative to the largest logit."""
HUGE = 1e3
"""Standard deviation of what is written into the padding; features have 1."""

SHAPES: Mapping[str, Groups] = {
    "a spectrogram": {"mel": GroupSpec(range(1, 2), 80, 100.0)},
    "an encoder": {"encoder": GroupSpec(range(5), 16, 50.0)},
    "an encoder and a decoder": {
        "encoder": GroupSpec(range(5), 16, 50.0),
        "decoder": GroupSpec(range(4), 12, None),
    },
}
"""Groups of made-up upstreams, by what they look like."""


def check_downstream(
    bound: ConfiguredCard[DownstreamCard], groups: Groups
) -> list[ContractFinding]:
    """Build a head for some groups, and run all checks; on a CPU.

    A head that refuses the groups, as its card says, has one finding that does not
    apply. Where its options stand for several heads, the last one is checked.
    """
    wanted = bound.options["groups"] or groups
    groups = {name: spec for name, spec in groups.items() if name in wanted}
    if not groups:
        return [_not_applicable(f"it has no group {'+'.join(wanted)}")]
    if bound.card.chooses and (reason := bound.card.refuses(groups, bound.options)):
        return [_not_applicable(reason)]
    card = bound.card.chooses or bound.card
    *_, options = bound.card.expands(groups, bound.options)
    if reason := card.refuses(groups, options):
        return [_not_applicable(reason)]
    needed = {
        name: replace(spec, layers=card.layers(spec, options))
        for name, spec in groups.items()
    }
    return run_checks(_CHECKS, _HeadTrial(card, options, needed))


def _not_applicable(reason: str) -> ContractFinding:
    return ContractFinding("can read it", None, f"not applicable: {reason}")


@dataclass
class _HeadTrial:
    """A head for some groups, and random features."""

    card: DownstreamCard
    options: Options
    groups: Groups

    def build(self) -> nn.Module:
        """Return the head, always with the same seed, in evaluation mode."""
        with seeded(0):
            return self.card.build(self.groups, CLASSES, self.options).eval()

    @cached_property
    def features(self) -> LayeredFeatures:
        """Features of one batch; zeros are their padding."""
        generator = torch.Generator().manual_seed(0)

        def utterance(spec: GroupSpec, frames: int) -> Tensor:
            count = 1 if self.card.tier == "pooled" else frames
            return torch.randn(len(spec.layers), count, spec.dim, generator=generator)

        return {
            name: LayerGroup.pad([utterance(spec, frames) for frames in FRAMES])
            for name, spec in self.groups.items()
        }

    @cached_property
    def logits(self) -> Tensor:
        """Logits of the batch, without dropout."""
        return _logits(self.build(), self.features)


def _logits(head: nn.Module, features: LayeredFeatures) -> Tensor:
    with torch.no_grad():
        logits: Tensor = head(features)
    return logits


def _rows(features: LayeredFeatures, row: int) -> LayeredFeatures:
    """Return one utterance of a batch, without padding."""
    return {
        name: LayerGroup.pad([group.states[:, row, : int(group.lengths[row])]])
        for name, group in features.items()
    }


def _with_padding(features: LayeredFeatures) -> LayeredFeatures:
    """Return features with large numbers in the padding."""
    padded = {}
    for name, group in features.items():
        frames = torch.arange(group.states.shape[2])
        is_padding = (frames >= group.lengths[:, None])[None, :, :, None]
        noise = HUGE * torch.randn(group.states.shape)
        states = torch.where(is_padding, noise, group.states)
        padded[name] = LayerGroup(states, group.lengths)
    return padded


def _returns_logits(trial: _HeadTrial) -> Outcome:
    logits: object = trial.logits
    if not isinstance(logits, Tensor):
        return False, f"returns an object of the class {type(logits).__name__}"
    wanted = len(FRAMES), CLASSES
    if tuple(logits.shape) != wanted:
        return False, f"shape {tuple(logits.shape)}, not (batch, classes) = {wanted}"
    if not logits.is_floating_point() or not bool(logits.isfinite().all()):
        return False, f"{logits.dtype} that are not all finite numbers"
    if bool(torch.allclose(logits.sum(dim=1), torch.ones(len(FRAMES)), atol=TOLERANCE)):
        return False, (
            "each row sums to 1, as probabilities do: return logits, before the "
            "softmax, which the loss applies"
        )
    return True, f"shape {tuple(logits.shape)}, all finite"


def _difference(one: Tensor, other: Tensor) -> Outcome:
    largest = float((one - other).abs().max() / other.abs().max().clamp(min=1e-12))
    return (
        largest <= TOLERANCE,
        f"largest difference {largest:.1e}, relative",
    )


def _alone(trial: _HeadTrial) -> Outcome:
    head = trial.build()
    rows = [_logits(head, _rows(trial.features, row)) for row in range(len(FRAMES))]
    return _difference(torch.cat(rows), trial.logits)


def _padding(trial: _HeadTrial) -> Outcome:
    if trial.card.tier == "pooled":
        return None, "reads means over time, which have no padding"
    padded = _logits(trial.build(), _with_padding(trial.features))
    return _difference(padded, trial.logits)


def _input(trial: _HeadTrial) -> Outcome:
    copies = {name: group.states.clone() for name, group in trial.features.items()}
    _logits(trial.build().train(), trial.features)
    for name, states in copies.items():
        if not torch.equal(trial.features[name].states, states):
            return False, f"changes the features of {name}, which other heads read"
    return True, "features are left as they were"


def _seed(trial: _HeadTrial) -> Outcome:
    heads = [trial.build(), trial.build()]
    first, second = (head.state_dict() for head in heads)
    for name, value in first.items():
        if not torch.equal(value, second[name]):
            return False, f"{name} has other initial values with the same seed"
    with seeded(1):
        one = _logits(heads[0].train(), trial.features)
    with seeded(1):
        other = _logits(heads[1].train(), trial.features)
    return torch.equal(one, other), "initial weights and a training step"


def _gradients(trial: _HeadTrial) -> Outcome:
    head = trial.build().train()
    labels = torch.arange(len(FRAMES)) % CLASSES
    nn.functional.cross_entropy(head(trial.features), labels).backward()
    weights = [one for one in head.parameters() if one.requires_grad]
    gradients = [one.grad for one in weights if one.grad is not None]
    if not gradients:
        return False, f"no gradient reaches any of {len(weights)} parameters"
    if not all(bool(one.isfinite().all()) for one in gradients):
        return False, "some are NaN or infinite"
    return True, f"{len(gradients)} of {len(weights)} parameters reached"


_CHECKS: Mapping[str, Callable[[_HeadTrial], Outcome]] = {
    "returns logits": _returns_logits,
    "same alone and in a batch": _alone,
    "reads no padding": _padding,
    "keeps its input": _input,
    "same with the same seed": _seed,
    "finite gradients": _gradients,
}
