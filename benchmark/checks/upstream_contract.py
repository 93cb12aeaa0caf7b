"""Check that an upstream keeps its contract, on three clips of different length."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nserbench.benchmark.checks.contract import (
    ContractFinding,
    Outcome,
    all_passed,
    run_checks,
)
from nserbench.benchmark.checks.pair_losses import check_losses
from nserbench.benchmark.plugins.side_by_side import side_by_side
from nserbench.benchmark.results.environment import peak_memory
from nserbench.cards import ConfiguredCard
from nserbench.corpora.demo.demo import synthesise
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
from nserbench.upstreams.groups import Description, GroupSpec
from nserbench.upstreams.pair_upstream import PairUpstream, open_with_teacher
from nserbench.upstreams.thread_safety import is_thread_safe

CLIPS = ("f1_anger_00", "m1_sadness_01", "f3_happiness_02")
"""Synthetic utterances; the second is repeated twice, the third three times."""

SENTENCES = ("No.", "I did not say that.", "Well, that is the best news in years!")

TOLERANCE = 1e-4
"""Largest difference between a clip alone and in a batch, relative to the largest value
of the layer."""

DROPOUT = "is the model in training mode (dropout)? Then call .eval()"
"""What may be wrong where values are not the same twice."""

FRAME_TOLERANCE = 3
"""Frames that windows may lose at the two ends of a clip."""


@dataclass(frozen=True, slots=True)
class ContractReport:
    """The outcomes of all checks of an upstream, and its speed and size.

    Attributes:
        realtime: Seconds of computing for each second of audio, clip by clip; None
            for an upstream that reads no audio or fails.
        memory: Peak memory of the process so far, in bytes.
    """

    findings: list[ContractFinding]
    realtime: float | None
    parameters: int
    memory: int | None

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all_passed(self.findings)


def check_upstream(bound: ConfiguredCard[UpstreamCard], device: str) -> ContractReport:
    """Load an upstream, and run all checks.

    Raises:
        NserbenchError: if the upstream cannot be loaded.
    """
    upstream = _opened(bound, device, seed=0)
    trial = _Trial(bound, upstream, _batches(bound, device), device)
    findings = run_checks(_CHECKS, trial)
    waves = [wave for batch in trial.batches for wave in batch.waves]
    duration = sum(map(len, waves)) / SAMPLE_RATE
    return ContractReport(
        findings,
        trial.seconds / duration if duration and trial.seconds else None,
        upstream.parameter_count(),
        peak_memory(),
    )


def _opened(bound: ConfiguredCard[UpstreamCard], device: str, seed: int) -> Upstream:
    """Load an upstream and its teacher, if it has one, with a seed of torch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return open_with_teacher(bound.card, bound.options, device)


@dataclass
class _Trial:
    """An upstream, and its features of the clips.

    Attributes:
        seconds: Time of the extraction of the three clips, one after another.
    """

    bound: ConfiguredCard[UpstreamCard]
    upstream: Upstream
    batches: Sequence[Batch]
    device: str
    seconds: float = 0.0

    @cached_property
    def described(self) -> Description:
        """What the card says of the upstream with its options."""
        return self.bound.card.describe(self.bound.options)

    @property
    def joint_batch(self) -> Batch:
        """All three clips in one batch."""
        return Batch.joined(self.batches)

    @cached_property
    def alone(self) -> list[LayeredFeatures]:
        """Features of each clip, extracted alone."""
        self.upstream.extract(self.batches[0])  # the first pass is a warm-up
        began = time.perf_counter()
        features = [self.upstream.extract(batch) for batch in self.batches]
        self.seconds = time.perf_counter() - began
        return features

    @cached_property
    def together(self) -> LayeredFeatures:
        """Features of the three clips, extracted in one batch."""
        return self.upstream.extract(self.joint_batch)


def _batches(bound: ConfiguredCard[UpstreamCard], device: str) -> list[Batch]:
    """Return three batches of one clip, with the inputs that the upstream reads."""
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
    """Return the clips, repeated up to three times, within the limits of the card."""
    card = bound.card
    configured: ConfiguredCard[EnhancerCard] | None = bound.options["enhance"]
    enhancer = configured and configured.card.open(configured.options, device)
    waves = []
    for times, name in enumerate(CLIPS, start=1):
        clip = synthesise(name)
        repeated = np.tile(clip, times * -(-card.min_samples // len(clip)))
        # Three lengths, even where the card's longest input is shorter than a clip.
        longest = card.max_samples and card.max_samples * (times + 3) // 6
        wave: NDArray[np.float32] = repeated[:longest].astype(np.float32)
        waves.append(enhancer.enhance(wave) if enhancer else wave)
    return waves


def _described(trial: _Trial) -> Outcome:
    described = trial.described.groups
    wanted = _sizes({name: (len(s.layers), s.dim) for name, s in described.items()})
    for features in trial.alone:
        shapes = {name: group.states.shape for name, group in features.items()}
        returned = _sizes({name: (s[0], s[3]) for name, s in shapes.items()})
        if returned != wanted:
            return False, (
                f"layers x dim: returns {returned}, but its card says {wanted}: "
                "correct the card or the upstream"
            )
        for name, group in features.items():
            if group.states.dtype != torch.float32:
                return False, f"{name} is of {group.states.dtype}, not torch.float32"
    return True, wanted


def _sizes(groups: Mapping[str, tuple[int, int]]) -> str:
    """Return layers and dim of each group as text."""
    sizes = (f"{name} {layers} x {dim}" for name, (layers, dim) in groups.items())
    return ", ".join(sizes) or "no group"


def _lengths(trial: _Trial) -> Outcome:
    if not trial.bound.card.reads_audio:
        return None, "reads no audio"
    details = []
    for name, spec in trial.described.groups.items():
        frames = [int(features[name].lengths[0]) for features in trial.alone]
        passed, detail = _lengths_of(spec, frames, trial)
        if not passed:
            return False, f"{name} has {_listed(frames)} frames for {detail}"
        details.append(f"{name} {detail}")
    return True, ", ".join(details)


def _lengths_of(spec: GroupSpec, frames: Sequence[int], trial: _Trial) -> Outcome:
    """Return whether the frames of a group fit the clips, and what they are or why."""
    seconds = [len(batch.waves[0]) / SAMPLE_RATE for batch in trial.batches]
    clips = f"clips of {_listed([f'{length:.2f}' for length in seconds])} s"
    if not spec.has_time_axis:
        if trial.described.transcribes:
            return True, "has no time axis"
        once = all(count == 1 for count in frames)
        return once, "has no time axis" if once else f"{clips}, but no time axis"
    if len(set(seconds)) == len(seconds) and sorted(set(frames)) != list(frames):
        return False, f"{clips}: padding must not count as frames"
    if spec.rate is None:
        return True, "grows with the clip, at a rate that is not stated"
    off = [
        abs(count - spec.rate * length)
        for count, length in zip(frames, seconds, strict=True)
    ]
    stated = f"{spec.rate:g} per s"
    return max(off) <= FRAME_TOLERANCE, (
        stated if max(off) <= FRAME_TOLERANCE else f"{clips}, not {stated}"
    )


def _listed(values: Sequence[object]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}"


def _independent(trial: _Trial) -> Outcome:
    worst = 0.0
    for row, features in enumerate(trial.alone):
        for name, group in features.items():
            batched = trial.together[name]
            frames = int(group.lengths[0])
            if int(batched.lengths[row]) != frames:
                return False, f"{name} has other lengths in a batch"
            alone = group.states[:, 0, :frames]
            # By layer: one with large values would hide the differences of the others.
            differences = (batched.states[:, row, :frames] - alone).abs().amax((1, 2))
            largest = alone.abs().amax((1, 2)).clamp(min=1e-12)
            worst = max(worst, float((differences / largest).max()))
    detail = f"differs by at most {worst:.1e} of the largest value of a layer"
    return worst <= TOLERANCE, detail if worst <= TOLERANCE else f"{detail}: {DROPOUT}"


def _repeatable(trial: _Trial) -> Outcome:
    again = trial.upstream.extract(trial.batches[0])
    largest = max(
        float((again[name].states - group.states).abs().max())
        for name, group in trial.alone[0].items()
    )
    detail = f"largest difference {largest:.1e}"
    return largest == 0.0, detail if largest == 0.0 else f"{detail}: {DROPOUT}"


def _loaded_again(trial: _Trial) -> Outcome:
    """Compare with the same upstream, loaded with another seed of torch.

    Random weights of one that is always trained come from the seed: it is the same.
    """
    seed = 0 if trial.bound.card.always_trained else 1
    other = _opened(trial.bound, trial.device, seed)
    features = other.extract(trial.batches[0])
    for name, group in trial.alone[0].items():
        if not torch.equal(features[name].states, group.states):
            return False, (
                f"{name} has other values: are weights drawn at random? Or {DROPOUT}"
            )
    return True, "all values"


def _in_threads(trial: _Trial) -> Outcome:
    if not is_thread_safe(trial.upstream):
        return None, "not said to be thread-safe"
    clips = range(len(trial.batches))
    order = [clip for shift in clips for clip in (*clips[shift:], *clips[:shift])]

    def extract(clip: int) -> LayeredFeatures:
        return trial.upstream.extract(trial.batches[clip])

    with side_by_side(extract, order, len(clips)) as results:
        every = [result() for result in results]
    for clip, features in zip(order, every, strict=True):
        for name, group in trial.alone[clip].items():
            if not torch.equal(features[name].states, group.states):
                return False, f"{name} has other values where several threads run it"
    return True, f"{len(clips)} threads"


def _each_group_alone(trial: _Trial) -> Outcome:
    for name in trial.described.groups:
        batch = replace(trial.batches[0], groups=frozenset({name}))
        returned, expected = trial.upstream.extract(batch), trial.alone[0][name]
        if name not in returned:
            return False, f"{name} is missing where it alone is read"
        if not torch.equal(returned[name].states, expected.states):
            return False, f"{name} has other values where it alone is read"
    return True, "each alone, and all"


def _finite(trial: _Trial) -> Outcome:
    for name, group in _valid(trial):
        if not bool(group.isfinite().all()):
            return False, f"{name} has values that are NaN or infinite"
    return True, "all values"


def _valid(trial: _Trial) -> Iterator[tuple[str, Tensor]]:
    for features in trial.alone:
        for name, group in features.items():
            yield name, group.states[:, 0, : int(group.lengths[0])]


def _gradients(trial: _Trial) -> Outcome:
    model = trial.upstream.model
    if not trial.described.tunable:
        return None, "not fine-tunable"
    if model is None:
        return False, "no model to train"
    if not trial.upstream.parameter_count():
        return None, "no weights to train"
    model.zero_grad()
    features = trial.upstream.forward(trial.batches[0])
    powers = [group.states.square().mean() for group in features.values()]
    torch.stack(powers).sum().backward()
    reached = {
        name
        for name, weights in model.named_parameters()
        if weights.grad is not None and bool(weights.grad.any())
    }
    model.zero_grad()
    frozen = trial.described.frozen
    if all(is_inside(name, frozen) for name in reached):
        return False, "no gradient reaches the weights that are not frozen"
    names = [name for name, _ in model.named_parameters()]
    for module in frozen:
        if not any(is_inside(name, [module]) for name in names):
            return False, f"no parameter is in {module!r}, which is to be frozen"
    return True, f"{len(reached)} of {len(names)} parameters reached"


def _losses(trial: _Trial) -> Outcome:
    if not isinstance(trial.upstream, PairUpstream):
        return None, "does not learn from pairs"
    return check_losses(trial.upstream, trial.joint_batch, trial.described.frozen)


def _transcripts(trial: _Trial) -> Outcome:
    upstream = trial.upstream
    if not trial.described.transcribes:
        return None, "does not transcribe"
    if not isinstance(upstream, Transcriber):
        return False, "is not a Transcriber"
    with torch.no_grad():
        batched = list(upstream.forward_and_transcribe(trial.joint_batch).texts)
    alone = [upstream.transcribe(batch)[0] for batch in trial.batches]
    return batched == alone, "compared alone, in a batch, and without features"


_CHECKS: dict[str, Callable[[_Trial], Outcome]] = {
    "returns what its card says": _described,
    "frames match the duration": _lengths,
    "same alone and in a batch": _independent,
    "same values when repeated": _repeatable,
    "same when loaded again": _loaded_again,
    "same in several threads": _in_threads,
    "same whichever groups are read": _each_group_alone,
    "finite": _finite,
    "gradients": _gradients,
    "losses": _losses,
    "transcripts": _transcripts,
}
