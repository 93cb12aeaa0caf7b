import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from plans import planned
from scribes import FACTS, Reader, calls, offer_scribes, words
from values import not_none

from nserbench.benchmark.extraction.extract import (
    ModelCache,
    extract_missing,
    read_transcripts,
)
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.extraction.need import Need
from nserbench.benchmark.extraction.word_errors import recognition
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.feature_store import TRANSCRIPT, Features, Store
from nserbench.benchmark.study.study import Study
from nserbench.errors import BadSpec, MissingExtra, NothingToRun
from nserbench.progress import Silent
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.enhancement.base import Enhancer
from nserbench.upstreams.groups import GroupSpec

Ask = Callable[..., Study]
Wave = NDArray[np.float32]


@pytest.fixture(autouse=True)
def offered(plugins: Plugins, offer: Callable[[str, object], str]) -> None:
    """Offer ``flip``, ``scribe`` and ``reader``."""
    offer_scribes(plugins, offer)


@pytest.fixture
def told(notes: Path) -> str:
    """Return the notes as a corpus that knows what is said."""
    with notes.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with notes.open("w", newline="") as stream:
        table = csv.DictWriter(stream, [*rows[0], "text", "language"])
        table.writeheader()
        for place, row in enumerate(rows):
            table.writerow(row | {"text": f"{place} {place}", "language": "en"})
    return f"manifest:path={notes}"


def provided(job: Job, store: Store) -> list[str]:
    source: Extraction | None = job.extraction.alone.transcript_source
    assert source is not None
    return read_transcripts(source, job.clips, store)


def test_an_enhancer_receives_the_mixture_and_keeps_its_loudness(
    prepared: Callable[..., list[Job]],
) -> None:
    plain, cleaned = prepared(
        upstreams=["mel,mel:enhance=flip"], noises=["hiss"], snrs=[0.0]
    )

    loaded = ModelCache("cpu").open(cleaned.extraction.alone)

    assert cleaned.cell.upstream.label == "mel:enhance=flip"
    assert plain.extraction.identity != cleaned.extraction.identity
    for clip in cleaned.clips:
        noisy = plain.extraction.alone.wave(clip)
        heard = cleaned.extraction.alone.wave(clip, loaded.enhancer)
        np.testing.assert_allclose(heard, -noisy, rtol=1e-5, atol=1e-7)


def test_silence_from_an_enhancer_stays_silent() -> None:
    class Mute(Enhancer):
        def separate(self, wave: Wave) -> Wave:
            return np.zeros_like(wave)

    assert not Mute({}, "cpu").enhance(np.ones(9, np.float32)).any()


def test_an_enhancer_that_changes_the_length_is_refused() -> None:
    class Cut(Enhancer):
        def separate(self, wave: Wave) -> Wave:
            return wave[1:]

    with pytest.raises(ValueError, match=r"Cut returns \(8,\) for \(9,\)"):
        Cut({}, "cpu").enhance(np.ones(9, np.float32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda wave: wave.astype("complex64"), "returns complex64"),
        (lambda wave: wave.tolist(), "an object of the class list"),
        (lambda wave: wave * np.float32("nan"), "numbers that are not finite"),
    ],
)
def test_an_enhancer_that_returns_no_speech_is_refused(
    change: Callable[[Wave], Wave], message: str
) -> None:
    class Odd(Enhancer):
        def separate(self, wave: Wave) -> Wave:
            return change(wave)

    with pytest.raises(ValueError, match=message):
        Odd({}, "cpu").enhance(np.ones(9, np.float32))


def test_transcripts_come_with_the_features_from_one_pass(
    ask: Ask, runner: Runner
) -> None:
    study = ask(upstreams=["scribe"])

    runner.run(study)

    assert calls == {"listen": 24}
    (job,) = prepare(study, runner.store, Silent())
    texts = provided(job, Store(runner.store.root))
    assert texts == [words(job.extraction.alone.wave(clip)) for clip in job.clips]
    assert "" in texts


def test_a_text_upstream_reads_the_transcripts_of_the_same_condition(
    ask: Ask, runner: Runner
) -> None:
    study = ask(
        upstreams=["reader:text=scribe"], noises=["clean", "hiss"], snrs=[0.0, -10.0]
    )

    report = runner.run(study)

    assert report.outcomes["done"] == 3
    assert calls == {"transcribe": 3 * 24}
    jobs = prepare(study, runner.store, Silent())
    assert [str(job.extraction.alone.condition) for job in jobs] == [
        "clean",
        "hiss@0",
        "hiss@-10",
    ]
    heard = [
        words(job.extraction.alone.transcripts.wave(clip))
        for job in jobs
        if job.extraction.alone.transcripts is not None
        for clip in job.clips
    ]
    assert Reader.read == heard
    assert [provided(job, runner.store) for job in jobs] == [
        heard[:24],
        heard[24:48],
        heard[48:],
    ]


def test_stored_transcripts_are_not_made_again(ask: Ask, runner: Runner) -> None:
    runner.run(ask(upstreams=["scribe"]))

    runner.run(ask(upstreams=["scribe,reader:text=scribe"]))

    assert calls == {"listen": 24}
    assert len(Reader.read) == 24


def test_the_texts_of_a_corpus_are_read_once_for_all_conditions(
    ask: Ask, runner: Runner, told: str
) -> None:
    study = ask(
        upstreams=["reader"], corpora=[told], noises=["clean", "hiss"], snrs=[0.0, 5.0]
    )

    report = runner.run(study)

    assert report.outcomes["done"] == 3
    assert len(set(report.folders)) == 3
    read = sorted(map(not_none, Reader.read))
    assert read == sorted(f"{place} {place}" for place in range(24))
    results = read_results(runner.results)
    answers = [not_none(result.predictions).probabilities for result in results]
    assert len({one.tobytes() for one in answers}) == 1


def test_a_corpus_without_texts_cannot_be_read(ask: Ask, notes: Path) -> None:
    study = ask(upstreams=["mel,reader"])

    assert [cell.refused for cell in study.cells] == [
        None,
        f"manifest:path={notes.stem} has no text for 24 of its utterances",
    ]
    with pytest.raises(NothingToRun, match="has no text"):
        ask(upstreams=["reader"])


def test_a_missing_package_is_refused_before_any_audio_is_read(
    ask: Ask, runner: Runner, plugins: Plugins
) -> None:
    card = UpstreamCard(
        name="lacking",
        load="no_such_package.models:Model",
        groups={"x": GroupSpec(range(1, 2), 1, None)},
        extra="things",
        **FACTS,
    )
    plugins.upstreams.add(card, "the test")
    study = ask(upstreams=["lacking"])
    stages: list[str] = []

    class Heard(Silent):
        def stage(self, name: str, total: int, unit: str) -> None:
            stages.append(name)

    runner.progress = Heard()
    with pytest.raises(MissingExtra, match=r"pip install 'nserbench\[things\]'"):
        runner.run(study)

    assert stages == []


def test_an_upstream_without_transcripts_cannot_be_read(ask: Ask) -> None:
    with pytest.raises(BadSpec, match=r"mel writes no transcripts\n  reader:text=mel"):
        ask(upstreams=["reader:text=mel"])


def test_the_result_has_the_word_errors(ask: Ask, runner: Runner, told: str) -> None:
    runner.run(ask(upstreams=["mel,scribe,reader:text=scribe"], corpora=[told]))

    found = {one.upstream: one.recognition for one in read_results(runner.results)}
    assert found["mel"] == {}
    assert found["scribe"] == found["reader:text=scribe"]
    assert (found["scribe"]["measure"], found["scribe"]["utterances"]) == ("WER", 24)


def test_transcripts_in_noise_are_compared_with_those_of_clean_speech_if_stored(
    ask: Ask, runner: Runner, notes: Path
) -> None:
    said = {"upstreams": ["scribe"], "noises": ["hiss"], "snrs": [-10.0]}
    runner.run(ask(**said))
    (alone,) = read_results(runner.results)
    runner.run(ask(upstreams=["scribe"]))
    runner.run(ask(**said, seeds=[1]))

    found = {(one.condition, one.seed): one for one in read_results(runner.results)}

    # The corpus has no texts.
    assert alone.recognition == {}
    assert found["clean", 0].recognition == {}
    noisy = found["hiss@-10", 1].recognition
    clean, loud = (
        said_in(runner, ask(upstreams=["scribe"], noises=[noise], snrs=[-10.0]))
        for noise in ("clean", "hiss")
    )
    expected = recognition(clean, loud, [None] * len(clean))
    assert expected is not None
    assert noisy == {
        "clean_rate": expected.rate,
        "clean_match_error": expected.match_error,
    }
    assert expected.rate > 0


def said_in(runner: Runner, study: Study) -> list[str]:
    (job,) = prepare(study, runner.store, Silent())
    return read_transcripts(job.extraction.alone, job.clips, runner.store)


def test_a_plan_counts_transcripts_once_for_all_readers(
    ask: Ask, runner: Runner
) -> None:
    study = ask(upstreams=["reader:text=scribe,scribe"])

    found = planned(runner, study)

    assert [(one.upstream, one.forms) for one in found.passes] == [
        ("scribe", ("transcripts", "pooled")),
        ("reader:text=scribe", ("pooled",)),
    ]


def test_a_kill_between_transcripts_and_features_loses_neither(
    ask: Ask, runner: Runner
) -> None:
    (job,) = prepare(ask(upstreams=["reader:text=scribe"]), runner.store, Silent())
    source = job.extraction.alone.transcripts
    assert source is not None
    need = Need.of(source, job.clips, [TRANSCRIPT])
    extract_missing(need, runner.store, ModelCache("cpu"), Silent())

    runner.run(ask(upstreams=["reader:text=scribe"]))

    assert calls == {"transcribe": 24}


def test_writing_to_the_store_does_not_count_as_extraction(
    prepared: Callable[..., list[Job]],
    fill: Callable[[Job, Store], Features],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, write = [0.0], Features.write
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def slow(self: Features, *arguments: Any) -> None:
        now[0] += 100
        write(self, *arguments)

    monkeypatch.setattr(Features, "write", slow)
    monkeypatch.setattr("nserbench.benchmark.extraction.extract.SHARD", 5)
    (job,) = prepared()

    features = fill(job, store)

    assert now[0] == 2 * 5 * 100  # five shards of each form
    assert {shard["seconds"] for shard in features.facts()} == {"0.000"}
