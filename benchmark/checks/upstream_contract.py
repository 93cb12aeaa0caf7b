"""Whether an upstream keeps the contract: three clips of different length tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nserbench.benchmark.results.environment import peak_memory
from nserbench.cards import ConfiguredCard
from nserbench.corpora.demo.demo import synthesise
from nserbench.errors import NserbenchError
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    LayeredFeatures,
    Transcriber,
    Upstream,
    UpstreamCard,
    is_inside,
)
from nserbench.upstreams.enhancement.base import EnhancerCard

CLIPS = ("f1_anger_00", "m1_sadness_01", "f3_happiness_02")
"""Synthetic utterances; the second is said twice over, the third three times."""

SENTENCES = ("No.", "I did not say that.", "Well, that is the best news in years!")

TOLERANCE = 1e-4
"""Largest difference between alone and in a batch, relative to the layer's largest
value."""

SLACK = 3
"""Frames that a window may cost at the two ends of a clip."""


@dataclass(frozen=True, slots=True)
class ContractFinding:
    """What one check found.

    Attributes:
        check: What was checked.
        passed: Whether it holds; None where it does not apply.
        detail: What was seen.
    """

    check: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class ContractReport:
    """What was found of an upstream.

    Attributes:
        findings: One for each check.
        realtime: Seconds of computing for each second of audio, clip by clip; None
            for an upstream that reads no audio.
        parameters: Weights.
        memory: The most bytes that the process has held so far.
    """

    findings: Sequence[ContractFinding]
    realtime: float | None
    parameters: int
    memory: int

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(one.passed is False for one in self.findings)


def check_upstream(bound: ConfiguredCard[UpstreamCard], device: str) -> ContractReport:
    """Load an upstream and see whether it does what its card and the contract say.

    Raises:
        NserbenchError: if it cannot be loaded.
    """
    upstream = bound.card.open(bound.options, device)
    trial = _Trial(bound, upstream, _batches(bound, device))
    findings = [_finding(name, check, trial) for name, check in _CHECKS.items()]
    waves = [wave for batch in trial.alone for wave in batch.waves]
    heard = sum(map(len, waves)) / SAMPLE_RATE
    return ContractReport(
        findings,
        trial.seconds / heard if heard else None,
        upstream.parameter_count(),
        peak_memory(),
    )


def _finding(name: str, check: _Check, trial: _Trial) -> ContractFinding:
    try:
        return ContractFinding(name, *check(trial))
    except NserbenchError:
        raise
    except Exception as error:  # noqa: BLE001 - one check must not hide the others
        return ContractFinding(name, False, f"{type(error).__name__}: {error}")


@dataclass
class _Trial:
    """An upstream, and what it gave for the clips."""

    bound: ConfiguredCard[UpstreamCard]
    upstream: Upstream
    alone: Sequence[Batch]
    seconds: float = 0.0

    @property
    def together(self) -> Batch:
        return Batch(
            *(
                [value for batch in self.alone for value in getattr(batch, name)]
                for name in ("ids", "waves", "texts", "languages")
            )
        )

    @cached_property
    def each(self) -> list[LayeredFeatures]:
        self.upstream.extract(self.alone[0])  # the first pass warms up
        began = time.perf_counter()
        found = [self.upstream.extract(batch) for batch in self.alone]
        self.seconds = time.perf_counter() - began
        return found

    @cached_property
    def batched(self) -> LayeredFeatures:
        return self.upstream.extract(self.together)


def _batches(bound: ConfiguredCard[UpstreamCard], device: str) -> list[Batch]:
    """Make three batches of one, of the inputs that the upstream reads."""
    waves = (
        [[wave] for wave in _waves(bound, device)]
        if bound.card.reads_audio
        else [[]] * 3
    )
    return [
        Batch([name], wave, [sentence], ["en"])
        for name, wave, sentence in zip(CLIPS, waves, SENTENCES, strict=True)
    ]


def _waves(
    bound: ConfiguredCard[UpstreamCard], device: str
) -> list[NDArray[np.float32]]:
    """Say the clips once, twice and three times over, within the card's bounds."""
    card = bound.card
    cleaner: ConfiguredCard[EnhancerCard] | None = bound.options["enhance"]
    enhancer = cleaner and cleaner.card.open(cleaner.options, device)
    found = []
    for times, name in enumerate(CLIPS, start=1):
        once = synthesise(name)
        said = np.tile(once, times * -(-card.min_samples // len(once)))
        # Three lengths also where the longest that is heard is shorter than a clip.
        most = card.max_samples and card.max_samples * (times + 3) // 6
        wave: NDArray[np.float32] = said[:most].astype(np.float32)
        found.append(enhancer.enhance(wave) if enhancer else wave)
    return found


_Outcome = tuple[bool | None, str]
_Check = Callable[[_Trial], _Outcome]


def _described(trial: _Trial) -> _Outcome:
    said = trial.bound.card.describe(trial.bound.options)
    for features in trial.each:
        given = {
            name: (group.states.shape[0], group.states.shape[3])
            for name, group in features.items()
        }
        if given != {name: (len(one.layers), one.dim) for name, one in said.items()}:
            return False, f"gives layers and dim {given}"
    return True, ", ".join(
        f"{name} {len(one.layers)} x {one.dim}" for name, one in said.items()
    )


def _lengths(trial: _Trial) -> _Outcome:
    said = trial.bound.card.describe(trial.bound.options)
    timed = {name: one.rate for name, one in said.items() if one.rate is not None}
    if not timed:
        return None, "no axis of time"
    for batch, features in zip(trial.alone, trial.each, strict=True):
        seconds = len(batch.waves[0]) / SAMPLE_RATE
        for name, rate in timed.items():
            frames = int(features[name].lengths[0])
            if abs(frames - rate * seconds) > SLACK:
                return False, f"{name} has {frames} frames for {seconds:.2f} s"
    return True, ", ".join(f"{name} {rate:g} per s" for name, rate in timed.items())


def _independent(trial: _Trial) -> _Outcome:
    worst = 0.0
    for place, features in enumerate(trial.each):
        for name, group in features.items():
            mates = trial.batched[name]
            frames = int(group.lengths[0])
            if int(mates.lengths[place]) != frames:
                return False, f"{name} has other lengths in a batch"
            alone = group.states[:, 0, :frames]
            # Layer by layer, or one with large values would hide the others.
            gaps = (mates.states[:, place, :frames] - alone).abs().amax((1, 2))
            sizes = alone.abs().amax((1, 2)).clamp(min=1e-12)
            worst = max(worst, float((gaps / sizes).max()))
    return worst <= TOLERANCE, f"at most {worst:.1e} of a layer's largest value"


def _same_again(trial: _Trial) -> _Outcome:
    again = trial.upstream.extract(trial.alone[0])
    gaps = [
        float((again[name].states - group.states).abs().max())
        for name, group in trial.each[0].items()
    ]
    return max(gaps) == 0.0, f"largest difference {max(gaps):.1e}"


def _finite(trial: _Trial) -> _Outcome:
    for name, group in _valid(trial):
        if not bool(group.isfinite().all()):
            return False, f"{name} has values that are not"
    return True, "all values"


def _valid(trial: _Trial) -> Iterator[tuple[str, Tensor]]:
    for features in trial.each:
        for name, group in features.items():
            yield name, group.states[:, 0, : int(group.lengths[0])]


def _gradients(trial: _Trial) -> _Outcome:
    card, model = trial.bound.card, trial.upstream.model
    if not card.can_tune(trial.bound.options):
        return None, "not fine-tunable"
    if model is None:
        return False, "no model to train"
    if not trial.upstream.parameter_count():
        return None, "no weights to train"
    model.zero_grad()
    features = trial.upstream.forward(trial.alone[0])
    powers = [group.states.square().mean() for group in features.values()]
    torch.stack(powers).sum().backward()
    reached = {
        name
        for name, weights in model.named_parameters()
        if weights.grad is not None and bool(weights.grad.any())
    }
    model.zero_grad()
    frozen = card.frozen_modules(trial.bound.options)
    if all(is_inside(name, frozen) for name in reached):
        return False, "no gradient reaches the weights that are not frozen"
    names = [name for name, _ in model.named_parameters()]
    for module in frozen:
        if not any(is_inside(name, [module]) for name in names):
            return False, f"no parameter is in {module!r}, which is to be frozen"
    return True, f"{len(reached)} of {len(names)} parameters reached"


def _writes(trial: _Trial) -> _Outcome:
    upstream = trial.upstream
    if not trial.bound.card.can_transcribe(trial.bound.options):
        return None, "writes no transcripts"
    if not isinstance(upstream, Transcriber):
        return False, "is no Transcriber"
    with torch.no_grad():
        heard = list(upstream.forward_and_transcribe(trial.together).texts)
    alone = [upstream.transcribe(batch)[0] for batch in trial.alone]
    return heard == alone, "the same alone, in a batch, and without features"


_CHECKS: dict[str, _Check] = {
    "gives what its card says": _described,
    "frames follow the audio": _lengths,
    "independent of batch mates": _independent,
    "the same again, to the bit": _same_again,
    "finite": _finite,
    "gradients": _gradients,
    "transcripts": _writes,
}
