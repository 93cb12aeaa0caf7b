import dataclasses
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from nserbench.benchmark.checks.upstream_contract import ContractReport, check_upstream
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import bind
from nserbench.spec import parse_spec
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    Recognised,
    Transcriber,
    UpstreamCard,
)
from nserbench.upstreams.groups import GroupSpec

HOP = 160


class Good(Transcriber):
    """A linear map of 10 ms frames, with a frozen front; transcribes their number."""

    thread_safe = True

    def __init__(self, options: object, device: str) -> None:
        super().__init__({}, device)
        torch.manual_seed(0)
        self.front, self.back = nn.Linear(HOP, 8), nn.Linear(8, 4)
        self.model = nn.ModuleDict({"front": self.front, "back": self.back})

    def spoil(self, states: torch.Tensor) -> torch.Tensor:
        return states

    def lengths(self, batch: Batch) -> list[int]:
        return [len(wave) // HOP for wave in batch.waves]

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        frames = [
            torch.as_tensor(wave[: len(wave) // HOP * HOP]).reshape(-1, HOP)
            for wave in batch.waves
        ]
        states = self.back(self.front(pad_sequence(frames, batch_first=True)).relu())
        lengths = self.lengths(batch)
        group = LayerGroup(self.spoil(states)[None], torch.tensor(lengths))
        return Recognised({"out": group}, [str(length) for length in lengths])


CARD = UpstreamCard(
    name="tried",
    summary="",
    source="",
    licence="",
    load="",
    groups={"out": GroupSpec(range(1, 2), dim=4, rate=100.0)},
    transcribes=True,
    tunable=True,
    frozen=("front",),
)


class Wide(Good):
    def spoil(self, states: torch.Tensor) -> torch.Tensor:
        return states.repeat(1, 1, 2)


class Precise(Good):
    def spoil(self, states: torch.Tensor) -> torch.Tensor:
        return states.double()


class Slow(Good):
    def lengths(self, batch: Batch) -> list[int]:
        return [count // 2 for count in super().lengths(batch)]


class Sociable(Good):
    def spoil(self, states: torch.Tensor) -> torch.Tensor:
        return states - states.mean()


class Moody(Good):
    def spoil(self, states: torch.Tensor) -> torch.Tensor:
        return states + 1e-6 * torch.rand(())


class Sick(Good):
    def spoil(self, states: torch.Tensor) -> torch.Tensor:
        return states / torch.zeros(())


class Numb(Good):
    def spoil(self, states: torch.Tensor) -> torch.Tensor:
        return states.detach() + 0 * self.front.weight.sum()


class Random(Good):
    loads = 0

    def __init__(self, options: object, device: str) -> None:
        super().__init__(options, device)
        Random.loads += 1
        nn.init.constant_(self.back.bias, Random.loads)


class Shared(Good):
    """Keeps its input, which another thread replaces."""

    thread_safe = True

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        self.batch = batch
        time.sleep(0.01)
        return super().forward_and_transcribe(self.batch)


class Choosy(Good):
    def spoil(self, states: torch.Tensor) -> torch.Tensor:
        return states + 1 if self.asked else states

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        self.asked = batch.groups is not None
        return super().forward_and_transcribe(batch)


class Mute(Good):
    def forward(self, batch: Batch) -> LayeredFeatures:
        return super().forward(batch) if batch.groups is None else {}


class Two(Good):
    def transcribe(self, batch: Batch) -> list[str]:
        return ["something else"] * len(batch.waves)


@pytest.fixture
def examined(plugins: Plugins, offer: Callable[[str, object], str]) -> Any:
    """Return a function that checks an upstream class."""

    def check(kind: type, **changes: Any) -> ContractReport:
        load = offer(kind.__name__, kind)
        card = dataclasses.replace(CARD, load=load, **changes)
        return check_upstream(bind(card, parse_spec("tried"), plugins.bind), "cpu")

    return check


def failed(report: ContractReport) -> set[str]:
    return {one.check for one in report.findings if one.passed is False}


def test_an_upstream_that_keeps_the_contract_passes_every_check(examined: Any) -> None:
    report = examined(Good)

    assert report.passed
    others = [one for one in report.findings if one.check != "losses"]  # it adds none
    assert {one.passed for one in others} == {True}
    assert report.parameters == 160 * 8 + 8 + 8 * 4 + 4
    assert report.realtime > 0


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Wide, "returns what its card says"),
        (Precise, "returns what its card says"),
        (Slow, "frames match the duration"),
        (Sociable, "same alone and in a batch"),
        (Moody, "same values when repeated"),
        (Random, "same when loaded again"),
        (Shared, "same in several threads"),
        (Choosy, "same whichever groups are read"),
        (Mute, "same whichever groups are read"),
        (Sick, "finite"),
        (Numb, "gradients"),
        (Two, "transcripts"),
    ],
)
def test_each_check_fails_for_the_upstream_that_breaks_it(
    examined: Any, kind: type, check: str
) -> None:
    report = examined(kind)

    assert not report.passed
    assert check in failed(report)


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Sociable, "same alone and in a batch"),
        (Moody, "same values when repeated"),
        (Random, "same when loaded again"),
    ],
)
def test_each_check_that_dropout_may_fail_says_how_to_turn_it_off(
    examined: Any, kind: type, check: str
) -> None:
    details = {one.check: one.detail for one in examined(kind).findings}

    assert "in training mode (dropout)? Then call .eval()" in details[check]


class Padded(Good):
    """Pads every clip to a length that it does not tell from audio."""

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        found = super().forward_and_transcribe(batch)
        states = nn.functional.pad(found.features["out"].states, (0, 0, 0, 2_000))
        states = states[:, :, :1_500]
        lengths = torch.full((len(batch.waves),), 1_500)
        return Recognised({"out": LayerGroup(states, lengths)}, found.texts)


@pytest.mark.parametrize(
    ("spec", "detail"),
    [
        (GroupSpec(range(1, 2), 4, None), "but no time axis"),
        (GroupSpec(range(1, 2), 4, None, in_time=True), "padding must not count"),
        (GroupSpec(range(1, 2), 4, 600.0), "padding must not count"),
    ],
)
def test_padding_that_counts_as_frames_is_found(
    spec: GroupSpec, detail: str, examined: Any
) -> None:
    report = examined(Padded, groups={"out": spec}, transcribes=False)

    details = {one.check: one.detail for one in report.findings}
    assert "frames match the duration" in failed(report)
    assert "1500, 1500 and 1500 frames" in details["frames match the duration"]
    assert detail in details["frames match the duration"]


def test_frames_at_a_rate_that_is_not_stated_must_grow_with_the_clip(
    examined: Any,
) -> None:
    groups = {"out": GroupSpec(range(1, 2), 4, None, in_time=True)}

    report = examined(Good, groups=groups)

    details = {one.check: one.detail for one in report.findings}
    assert report.passed
    assert "at a rate that is not stated" in details["frames match the duration"]


def test_frames_of_an_upstream_without_text_are_not_taken_for_tokens(
    examined: Any,
) -> None:
    groups = {"out": GroupSpec(range(1, 2), 4, None)}

    assert examined(Good, groups=groups).passed
    report = examined(Good, groups=groups, transcribes=False)
    assert failed(report) == {"frames match the duration"}


class Fragile(Good):
    def transcribe(self, batch: Batch) -> list[str]:
        raise IndexError("no such token")


def test_a_check_that_raises_is_a_finding_and_the_others_still_run(
    examined: Any,
) -> None:
    report = examined(Fragile)

    (broken,) = [one for one in report.findings if one.passed is False]
    assert broken.check == "transcripts"
    assert re.fullmatch(
        r"IndexError: no such token \(test_upstream_contract.py, line \d+\)",
        broken.detail,
    )


class Broken(Good):
    def lengths(self, batch: Batch) -> list[int]:
        raise IndexError("no such frame")


def test_what_needs_the_features_is_not_checked_without_them(examined: Any) -> None:
    report = examined(Broken)

    first, *others = report.findings
    assert report.realtime is None
    assert "no such frame (test_upstream_contract.py, line " in first.detail
    assert {one.passed for one in others} == {None}
    assert {one.detail for one in others} == {f"not checked: needs {first.check!r}"}


def test_a_frozen_module_that_does_not_exist_is_found(examined: Any) -> None:
    assert failed(examined(Good, frozen=("cnn",))) == {"gradients"}


def test_checks_of_what_a_card_does_not_promise_do_not_apply(examined: Any) -> None:
    report = examined(Good, tunable=False, transcribes=False)

    skipped = {one.check for one in report.findings if one.passed is None}
    assert report.passed
    assert skipped == {"gradients", "losses", "transcripts"}


def test_clips_have_three_lengths_within_the_limits_of_the_card(
    examined: Any,
) -> None:
    heard: list[Batch] = []

    class Curious(Good):
        def extract(self, batch: Batch) -> LayeredFeatures:
            heard.append(batch)
            return super().extract(batch)

    examined(Curious, min_samples=40_000, max_samples=150_000)

    sizes = {len(wave) for batch in heard for wave in batch.waves}
    assert len(sizes) == 3
    assert min(sizes) >= 40_000
    assert max(sizes) <= 150_000
    assert all(wave.dtype == np.float32 for batch in heard for wave in batch.waves)


@pytest.mark.parametrize("name", ["mel"])
def test_built_in_upstreams_without_weights_pass(plugins: Plugins, name: str) -> None:
    bound = plugins.bind("upstream", parse_spec(name))

    assert check_upstream(bound, "cpu").passed
