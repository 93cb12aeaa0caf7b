"""What is extracted: all that any cell of a command reads, in one pass, and no more."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from plans import planned
from scribes import offer_scribes
from talkers import Noted, offer_talker

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.extraction.transcripts import transcribe
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.feature_store import Features
from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.study import Study
from nserbench.errors import BadSpec
from nserbench.progress import Silent

pytestmark = pytest.mark.usefixtures("narrow_heads")

Ask = Callable[..., Study]
ENCODER, DECODER = "talker:groups=encoder", "talker:groups=decoder"


@pytest.fixture
def noted(plugins: Plugins, offer: Callable[[str, object], str]) -> list[Noted]:
    """Offer ``talker``, ``scribe`` and ``reader``; return the calls of ``talker``."""
    offer_scribes(plugins, offer)
    return offer_talker(plugins, offer)


@pytest.fixture
def told(notes: Path) -> str:
    """Return the notes as a corpus that knows what is said."""
    lines = notes.read_text().splitlines()
    texts = ["text", *(f"one {place}" for place, _ in enumerate(lines[1:]))]
    rows = zip(lines, texts, strict=True)
    notes.write_text("\n".join(f"{line},{text}" for line, text in rows))
    return f"manifest:path={notes}"


def passes_of(noted: list[Noted]) -> set[int]:
    """Return how often a clip was extracted: one number if all were as often."""
    return set(Counter(name for one in noted for name in one.ids).values())


def groups_of(features: Features, form: Any) -> Counter[str]:
    """Return how many utterances are stored of each group in a form."""
    return Counter(name.partition("/")[2] for name in features._stored(form))


class Told(Silent):
    """Keeps the messages to the user."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.lines.append(text)


def test_a_head_on_the_encoder_runs_no_search(
    ask: Ask, runner: Runner, noted: list[Noted]
) -> None:
    runner.run(ask(upstreams=[ENCODER], downstreams=["mean,ladapter"]))

    assert passes_of(noted) == {1}
    assert {(one.groups, one.searched) for one in noted} == {
        (frozenset({"encoder"}), False)
    }
    (features,) = runner.store.all_features()
    assert groups_of(features, "pooled") == {"encoder": 24}
    assert groups_of(features, "frames") == {"encoder": 24}
    assert features.keys("transcripts") == set()


def test_a_later_head_on_the_decoder_costs_one_more_pass_that_adds_what_is_missing(
    ask: Ask, runner: Runner, noted: list[Noted]
) -> None:
    runner.run(ask(upstreams=[ENCODER]))
    (features,) = runner.store.all_features()
    (before,) = features.shards("pooled")
    (later,) = planned(runner, ask(upstreams=["talker"])).passes
    noted.clear()

    runner.run(ask(upstreams=["talker"]))

    assert (later.groups, later.transcribes) == (("decoder",), True)
    assert passes_of(noted) == {1}
    assert {one.searched for one in noted} == {True}
    (features,) = runner.store.all_features()
    assert before in features.shards("pooled")
    assert groups_of(features, "pooled") == {"encoder": 24, "decoder": 24}
    keys = {name.partition("/")[0] for name in features._stored("pooled")}
    for group in ("encoder", "decoder"):
        (part,) = features.parts("pooled", keys, [group])
        assert part.share == 1
    assert len(features.keys("transcripts")) == 24


@pytest.mark.parametrize("order", [(ENCODER, DECODER), (DECODER, ENCODER)])
def test_heads_on_encoder_and_decoder_share_one_pass_in_any_order(
    ask: Ask, runner: Runner, noted: list[Noted], order: tuple[str, str], told: str
) -> None:
    runner.run(ask(upstreams=order, corpora=[told]))

    assert passes_of(noted) == {1}
    # The transcripts are there, so that both rows have word errors.
    assert all(one.recognition for one in read_results(runner.results))


def test_means_of_what_a_pass_returns_are_kept_and_frames_of_what_is_read(
    ask: Ask, runner: Runner, noted: list[Noted]
) -> None:
    runner.run(ask(upstreams=[DECODER], downstreams=["ladapter"]))
    runner.run(ask(upstreams=[ENCODER]))

    assert passes_of(noted) == {1}
    (features,) = runner.store.all_features()
    assert groups_of(features, "pooled") == {"encoder": 24, "decoder": 24}
    assert groups_of(features, "frames") == {"decoder": 24}


@pytest.mark.parametrize("reader_first", [True, False])
def test_transcripts_that_another_upstream_reads_come_from_the_same_pass(
    ask: Ask, runner: Runner, noted: list[Noted], reader_first: bool
) -> None:
    names = ["reader:text=talker", ENCODER]

    runner.run(ask(upstreams=names if reader_first else names[::-1]))

    assert passes_of(noted) == {1}
    assert {one.searched for one in noted} == {True}
    assert {one.status for one in read_results(runner.results)} == {"done"}


POOLED, FRAMES = {"downstreams": ["mean"]}, {"downstreams": ["bigru"]}


@pytest.mark.parametrize("blocks", [(POOLED, FRAMES), (FRAMES, POOLED)])
def test_blocks_for_pooled_heads_and_heads_on_frames_share_one_pass_in_any_order(
    ask: Ask, runner: Runner, levels: Any, blocks: tuple[Any, Any]
) -> None:
    said = {"upstreams": ["levels"], "epochs": 1, "noises": ["clean", "hiss"]}
    studies = [ask(**said, **block) for block in blocks]
    cost = planned(runner, *studies)
    levels.heard.clear()  # a plan times one clip

    report = runner.run(*studies)

    assert +report.outcomes == {"done": 4}
    assert Counter(levels.heard) == dict.fromkeys(levels.heard, 2)
    assert [(one.condition, one.utterances, one.forms) for one in cost.passes] == [
        ("clean", 24, ("pooled", "frames")),
        ("hiss@0", 24, ("pooled", "frames")),
    ]


def test_a_block_of_fewer_utterances_adds_nothing_to_the_others(
    ask: Ask, runner: Runner, noted: list[Noted]
) -> None:
    studies = [ask(upstreams=[ENCODER]), ask(upstreams=[DECODER], limit=8)]

    runner.run(*studies)

    assert passes_of(noted) == {1}
    assert Counter(one.searched for one in noted for _ in one.ids) == {
        True: 8,
        False: 16,
    }
    assert {one.status for one in read_results(runner.results)} == {"done"}


def test_a_cell_in_two_blocks_runs_once(ask: Ask, runner: Runner, levels: Any) -> None:
    blocks = [ask(upstreams=["levels"]), ask(upstreams=["levels"], seeds=[0, 1])]

    report = runner.run(*blocks)

    assert report.outcomes == {"done": 2, "already there": 1}
    assert planned(runner, *blocks).missing == 0


def test_a_plan_counts_a_pass_once_and_says_which_passes_search(
    ask: Ask, runner: Runner, noted: list[Noted]
) -> None:
    clean = ask(upstreams=[ENCODER])
    noisy = {"noises": ["clean", "hiss"]}
    blocks = [clean, ask(upstreams=["talker"], **noisy), ask(upstreams=["mel"])]

    passes = planned(runner, *blocks).passes

    both = "encoder", "decoder"
    assert [(one.upstream, one.condition, one.groups) for one in passes] == [
        (ENCODER, "clean", both),
        ("talker", "hiss@0", both),
        ("mel", "clean", ("mel",)),
    ]
    assert [one.transcribes for one in passes] == [True, True, False]
    (alone,) = planned(runner, clean).passes
    assert (alone.groups, alone.transcribes) == (("encoder",), False)


def test_a_row_without_word_errors_is_announced_and_transcribing_first_gives_them(
    ask: Ask, runner: Runner, noted: list[Noted], told: str
) -> None:
    study = ask(upstreams=[ENCODER], corpora=[told])
    runner.progress = progress = Told()
    runner.run(study)
    (bare,) = read_results(runner.results)
    (line,) = progress.lines
    cell, opened = study.cells[0], study.corpora
    label = cell.corpus.label

    transcribe(
        cell.upstream,
        dict(opened),
        [(label, Condition())],
        "reference",
        runner.store,
        ModelCache("cpu"),
        Silent(),
    )
    progress.lines.clear()
    runner.run(ask(upstreams=[ENCODER], corpora=[told], seeds=[1]))

    assert bare.recognition == {}
    assert line.startswith(f"{ENCODER}: results will have no word errors, since")
    assert "run `nserbench transcribe` on the same speech first" in line
    assert progress.lines == []
    (spoken,) = [one for one in read_results(runner.results) if one.seed == 1]
    assert spoken.recognition["measure"] == "WER"


def test_an_upstream_that_transcribes_in_any_case_has_word_errors_as_ever(
    ask: Ask, runner: Runner, noted: list[Noted], told: str
) -> None:
    runner.progress = progress = Told()

    runner.run(ask(upstreams=["scribe"], corpora=[told]))

    (result,) = read_results(runner.results)
    assert result.recognition["measure"] == "WER"
    assert progress.lines == []


def test_frames_of_8_bits_are_added_beside_those_of_float16_by_one_more_pass(
    ask: Ask, runner: Runner, noted: list[Noted]
) -> None:
    plain, coded = (
        ask(upstreams=[ENCODER], downstreams=["ladapter"], protocol=f"probe{frames}")
        for frames in ("", "+frames=int8")
    )
    (first,) = planned(runner, plain).passes
    runner.run(plain)
    (second,) = planned(runner, coded).passes
    noted.clear()

    runner.run(coded)

    assert (first.forms, second.forms) == (("pooled", "frames"), ("frames_int8",))
    assert passes_of(noted) == {1}
    (features,) = runner.store.all_features()
    for form in ("pooled", "frames"):
        assert groups_of(features, form) == {"encoder": 24}
    assert groups_of(features, "frames_int8") == {"encoder": 24, "encoder/range": 24}
    assert {one.protocol for one in read_results(runner.results)} == {
        "probe+epochs=2",
        "probe+epochs=2+frames=int8",
    }


def test_both_forms_of_frames_come_from_one_pass_if_they_are_asked_for_together(
    ask: Ask, runner: Runner, noted: list[Noted]
) -> None:
    studies = [
        ask(upstreams=[ENCODER], downstreams=["ladapter"], protocol=protocol)
        for protocol in ("probe", "probe+frames=int8")
    ]

    runner.run(*studies)

    assert passes_of(noted) == {1}
    assert {planned(runner, study).missing for study in studies} == {0}


@pytest.mark.parametrize("apart", [False, True])
def test_a_recording_under_two_names_is_refused_before_anything_is_extracted(
    ask: Ask, runner: Runner, hiss: Path, apart: bool
) -> None:
    said: dict[str, Any] = {"named": {"hiss": hiss, "hum": hiss}, "snrs": [0.0]}
    names = [["hiss"], ["hum"]] if apart else [["hiss", "hum"]]

    with pytest.raises(BadSpec, match=r"'hiss' and 'hum' are the same recording"):
        runner.run(*(ask(**said, noises=some) for some in names))

    assert list((runner.store.root / "features").glob("*")) == []


@pytest.mark.parametrize(("noises", "said"), [((), True), (("hiss",), False)])
def test_an_snr_without_a_noise_is_told_to_have_no_effect(
    ask: Ask, runner: Runner, noises: Sequence[str], said: bool
) -> None:
    runner.progress = told = Told()

    runner.run(ask(snrs=[15.0], noises=[*noises]))

    assert any("SNRs have no effect" in line for line in told.lines) is said
