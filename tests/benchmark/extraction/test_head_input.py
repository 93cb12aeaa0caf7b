import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plans import planned
from scribes import FACTS, Reader, Scribe, calls, offer_scribes
from torch import nn
from values import not_none

from nserbench.benchmark.jobs.fit import open_sources
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_result
from nserbench.benchmark.results.result import Result
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study
from nserbench.errors import BadSpec, NothingToRun, NserbenchError, UnknownName
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch, LayeredFeatures, Upstream, UpstreamCard
from nserbench.upstreams.side_by_side import parts_of

pytestmark = pytest.mark.usefixtures("narrow_heads")

Ask = Callable[..., Study]


@pytest.fixture(autouse=True)
def offered(plugins: Plugins, offer: Callable[[str, object], str], levels: Any) -> None:
    """Offer ``levels``, ``flip``, ``scribe`` and ``reader``."""
    offer_scribes(plugins, offer)


@pytest.fixture
def told(notes: Path) -> str:
    """Return the notes as a corpus that knows what is said."""
    rows = list(csv.DictReader(notes.read_text().splitlines()))
    with notes.open("w", newline="") as stream:
        table = csv.DictWriter(stream, [*rows[0], "text"])
        table.writeheader()
        table.writerows(row | {"text": "one two"} for row in rows)
    return f"manifest:path={notes}"


@pytest.fixture
def run(runner: Runner, ask: Ask) -> Callable[..., list[Result]]:
    """Return a function that runs a study; its results are in the grid's order."""

    def go(**said: Any) -> list[Result]:
        report = runner.run(ask(**said))
        assert not report.outcomes["failed"]
        return [read_result(folder) for folder in report.folders]

    return go


@pytest.fixture
def by_hand(
    plugins: Plugins, offer: Callable[[str, object], str]
) -> Callable[..., str]:
    """Offer ``steps``, and ``both``: what two upstreams give, written as one."""
    levels = plugins.upstreams["levels"]
    plugins.upstreams.add(replace(levels, name="steps"), "the test")

    def offer_both(*parts: str) -> str:
        bound = [plugins.upstream(parse_spec(one)) for one in parts]
        groups = {
            f"{one.card.name}.{name}": spec
            for one in bound
            for name, spec in one.card.describe(one.options).groups.items()
            if name in (one.options["groups"] or [name])
        }

        class Both(Upstream):
            def forward(self, batch: Batch) -> LayeredFeatures:
                found = {
                    f"{one.card.name}.{name}": group
                    for one in bound
                    for name, group in one.card.open(one.options, "cpu")
                    .forward(batch)
                    .items()
                }
                return {name: found[name] for name in groups}

        card = UpstreamCard(
            name="both",
            load=offer("Both", Both),
            groups=groups,
            min_samples=max(one.card.min_samples for one in bound),
            **FACTS,
        )
        plugins.upstreams.add(card, "the test")
        return card.name

    return offer_both


WIDE = "levels:groups=wide", "steps:groups=wide"


@pytest.mark.parametrize(
    ("head", "parts"),
    [
        ("mean", ("mel", "levels")),
        ("single:layer=1", ("levels", "mel")),
        ("bigru", ("mel", "levels")),
        ("weighted-sum", WIDE),
        ("ladapter", WIDE),
    ],
)
def test_a_head_on_two_upstreams_equals_one_on_an_upstream_with_both_groups(
    run: Callable[..., list[Result]],
    by_hand: Callable[..., str],
    head: str,
    parts: tuple[str, str],
) -> None:
    both = by_hand(*parts)

    found = run(upstreams=[both, "{{{}}}+{{{}}}".format(*parts)], downstreams=[head])

    one, two = (one.predictions for one in found)
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_each_upstream_is_extracted_and_stored_alone(
    run: Callable[..., list[Result]], levels: Any
) -> None:
    run(upstreams=["levels"])
    assert len(levels.heard) == 24

    run(upstreams=["mel+levels", "levels+mel"], downstreams=["mean", "last"])

    assert len(levels.heard) == 24


def test_a_frame_head_reads_the_frames_of_each(
    prepared: Callable[..., list[Job]], runner: Runner, ask: Ask
) -> None:
    names = ["mel", "levels", "mel+levels"]
    study: Any = {"upstreams": names, "downstreams": ["bigru"], "epochs": 1}
    runner.run(ask(**study))

    mel, levels, both = (
        open_sources(job, runner.store).test.batch(torch.tensor([5, 0, 3]))
        for job in prepared(**study)
    )

    apart = {"mel.mel": mel["mel"]} | {f"levels.{n}": g for n, g in levels.items()}
    assert list(both) == list(apart)
    for name, group in both.items():
        assert torch.equal(group.states, apart[name].states)
        assert torch.equal(group.lengths, apart[name].lengths)


def test_a_head_chooses_groups_by_their_whole_names(ask: Ask) -> None:
    study = ask(
        upstreams=["mel+levels", "mel+levels:groups=levels.wide+levels.flat"],
        downstreams=["mean:groups=mel.mel+levels.wide", "weighted-sum"],
    )

    assert [[*one.groups] for one in study.cells if not one.refused] == [
        ["mel.mel", "levels.wide"],
        ["levels.wide"],
    ]


def test_the_second_of_one_card_is_numbered(plugins: Plugins) -> None:
    bound = plugins.upstream(parse_spec("mel+{mel:enhance=flip}+levels"))

    assert bound.label == "mel+{mel:enhance=flip}+levels"
    assert [*parts_of(bound)] == ["mel", "mel-2", "levels"]


def test_a_clip_is_too_short_or_long_if_it_is_for_one_of_them(plugins: Plugins) -> None:
    card = plugins.upstream(parse_spec("levels+mel+whisper")).card

    assert (card.min_samples, card.max_samples) == (400, 480_000)
    assert card.reads == {"waves", "languages"}


def test_an_enhancer_of_all_is_that_of_each_without_its_own(
    prepared: Callable[..., list[Job]],
) -> None:
    names = "mel+levels:enhance=flip", "{mel:enhance=flip}+levels:enhance=flip"

    alone = prepared(upstreams=["mel:enhance=flip", "levels:enhance=flip", "mel"])
    ones = prepared(upstreams=names)

    heard = [job.extraction.alone.identity for job in alone]
    for job in ones:
        parts = [one.identity for one in job.extraction.parts.values()]
        assert parts == heard[:2]
    assert heard[2] not in heard[:2]


@pytest.mark.parametrize("training", ["clean-train", "multi"])
def test_they_can_be_trained_in_other_conditions_than_they_are_tested_in(
    run: Callable[..., list[Result]], by_hand: Callable[..., str], training: str
) -> None:
    both = by_hand("mel", "levels")

    found = run(
        upstreams=[both, "mel+levels"],
        noises=["clean", "hiss"],
        protocol=f"probe+{training}",
    )

    by_name = {(one.upstream, one.condition): one.predictions for one in found}
    for condition in ("clean", "hiss@0"):
        one, two = by_name[both, condition], by_name["mel+levels", condition]
        assert one is not None
        assert two is not None
        np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_costs_and_weights_are_those_of_all(
    run: Callable[..., list[Result]], runner: Runner
) -> None:
    mel, levels, both, twice = (
        run(upstreams=[name])[0]
        for name in ("mel", "levels", "mel+levels", "levels+{levels:groups=flat}")
    )

    for cost in ("store_bytes", "extraction_seconds"):
        assert both.costs[cost] == pytest.approx(
            not_none(mel.costs[cost]) + not_none(levels.costs[cost])
        )
        assert twice.costs[cost] == levels.costs[cost]  # which is kept but once
    assert both.provenance["weights"] == {"mel": None, "levels": None}


def test_frozen_parameters_are_those_of_all(
    run: Callable[..., list[Result]],
    plugins: Plugins,
    offer: Callable[[str, object], str],
) -> None:
    class Heavy(Scribe):
        model = nn.Linear(3, 2)

    scribe = plugins.upstreams["scribe"]
    card = replace(scribe, name="heavy", load=offer("Heavy", Heavy))
    plugins.upstreams.add(card, "the test")

    both, twice = run(upstreams=["levels+heavy", "heavy+{heavy:groups=level}"])

    assert both.costs["frozen_parameters"] == 8
    assert twice.costs["frozen_parameters"] == 8  # it is one model


def test_transcripts_are_in_the_result_if_one_upstream_writes_them(
    run: Callable[..., list[Result]], told: str
) -> None:
    heard = {"corpora": [told], "noises": ["hiss"]}

    alone, same, other = (
        run(upstreams=[name], **heard)[0]
        for name in (
            "scribe",
            "scribe+{reader:text=scribe}",
            "scribe+{scribe:enhance=flip}",
        )
    )

    assert "rate" in alone.recognition
    assert same.recognition == alone.recognition
    assert other.recognition == {}
    assert calls == {"listen": 2 * 24}
    assert len(Reader.read) == 24


def test_a_reader_of_texts_that_a_corpus_lacks_is_refused(ask: Ask) -> None:
    with pytest.raises(NothingToRun, match="no text for 24 of its utterances"):
        ask(upstreams=["mel+reader"])


def test_a_plan_counts_what_each_upstream_lacks(
    run: Callable[..., list[Result]], runner: Runner, ask: Ask
) -> None:
    run(upstreams=["levels"])

    found = planned(runner, ask(upstreams=["mel+levels"]))

    assert [(one.upstream, one.utterances) for one in found.passes] == [("mel", 24)]
    assert found.training > 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mel+mel", "names mel twice"),
        ("mel+levles", "did you mean 'levels'"),
        ("mel+levels:language=de", "in braces: {levels:key=value}"),
        ("mel+levels:a/b", "an option after 'mel[+]levels' must apply to all of them"),
        ("mel+{wav2vec2:finetune=last}", "remove finetune= of wav2vec2"),
        ("mel+{levels:groups=narrow}", "levels.* has no group 'narrow', only wide"),
        ("{mel+levels}+scribe", "remove the braces around mel[+]levels"),
        ("mel+", "a name is missing"),
        ("reader:text={mel+scribe}", "mel[+]scribe writes no transcripts"),
    ],
)
def test_upstreams_that_cannot_be_combined_are_refused(
    ask: Ask, name: str, why: str
) -> None:
    with pytest.raises((BadSpec, UnknownName), match=why):
        ask(upstreams=[name])


def test_upstreams_side_by_side_cannot_be_fine_tuned(ask: Ask) -> None:
    with pytest.raises(BadSpec, match=r"mel\+levels cannot be fine-tuned"):
        ask(upstreams=["mel+levels"], finetune="last")


def test_upstreams_side_by_side_are_never_loaded_as_one(plugins: Plugins) -> None:
    bound = plugins.upstream(parse_spec("mel+levels"))

    with pytest.raises(NserbenchError, match="each of which is loaded alone"):
        bound.card.open(bound.options, "cpu")
