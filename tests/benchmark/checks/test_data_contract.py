import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import nserbench as nb
from nserbench.benchmark.checks.contract import ContractFinding
from nserbench.benchmark.checks.data_contract import (
    check_corpus,
    check_enhancer,
    check_noise,
)
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import Options, bind
from nserbench.settings import Settings
from nserbench.spec import Spec

_CALLS = count()


def read(
    options: Options,
    settings: Settings,
    *,
    name: Callable[[Path], str] = lambda file: file.stem,
    speaker: Callable[[str], str] = lambda fold: f"s{fold}",
    **facts: Any,
) -> nb.Corpus:
    """Read the files ``LABEL_FOLD.wav`` of the folder ``tried``."""
    folder = settings.path("tried")
    assert folder is not None
    parts = {file: file.stem.split("_") for file in sorted(folder.glob("*.wav"))}
    utterances = [
        nb.Utterance(
            id=name(file), path=file, label=label, speaker=speaker(fold), fold=fold
        )
        for file, (label, fold) in parts.items()
    ]
    return nb.Corpus(**{"classes": ("high", "low"), "utterances": utterances, **facts})


def by_folder(options: Options, settings: Settings) -> nb.Corpus:
    return read(options, settings, name=lambda file: f"{file.parent.name}-{file.stem}")


def by_path(options: Options, settings: Settings) -> nb.Corpus:
    return read(options, settings, name=lambda file: str(file.resolve()))


def by_number(options: Options, settings: Settings) -> nb.Corpus:
    return read(options, settings, name=lambda file: str(next(_CALLS)))


def one_speaker(options: Options, settings: Settings) -> nb.Corpus:
    return read(options, settings, speaker=lambda fold: "s")


def more_classes(options: Options, settings: Settings) -> nb.Corpus:
    return read(options, settings, classes=("high", "low", "loud"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Write a corpus of four clips; return settings with its folder."""
    folder = tmp_path / "tried"
    folder.mkdir()
    for label in ("high", "low"):
        for fold in "12":
            wave = np.random.default_rng(0).uniform(-0.1, 0.1, 4000)
            soundfile.write(folder / f"{label}_{fold}.wav", wave, 16000)
    return Settings(paths={"tried": folder}, environment={})


def failed(findings: list[ContractFinding]) -> dict[str, str]:
    return {one.check: one.detail for one in findings if one.passed is False}


def corpus(load: object, settings: Settings) -> list[ContractFinding]:
    card = nb.CorpusCard(name="tried", load=load)  # type: ignore[arg-type]
    return check_corpus(bind(card, Spec("tried")), settings)


def test_a_reader_that_keeps_the_contract_passes_every_check(
    settings: Settings,
) -> None:
    findings = corpus(read, settings)

    assert {one.passed for one in findings} == {True}
    assert findings[0].detail == "2 high, 2 low"


@pytest.mark.parametrize(
    ("load", "check", "detail"),
    [
        (by_folder, "same when the folder is moved", "8 ids differ, such as moved-"),
        (by_path, "no folder of this machine", "is written to results"),
        (by_number, "same when read again", "8 ids differ"),
        (one_speaker, "folds", "all utterances are of one speaker, 's'"),
        (more_classes, "each class has utterances", "2 high, 2 low, 0 loud"),
    ],
)
def test_each_check_fails_for_the_reader_that_breaks_it(
    settings: Settings, load: object, check: str, detail: str
) -> None:
    assert detail in failed(corpus(load, settings))[check]


def test_a_file_that_cannot_be_read_is_named(settings: Settings) -> None:
    file = settings.paths["tried"] / "high_1.wav"
    file.write_bytes(b"RIFF")

    assert str(file) in failed(corpus(read, settings))["files"]


def fixed(card: nb.NoiseCard, settings: Settings) -> Path:
    return settings.paths["tried"] / "high_1.wav"


def fresh(card: nb.NoiseCard, settings: Settings) -> Path:
    file = settings.paths["tried"] / "rain.wav"
    wave = np.random.default_rng(next(_CALLS)).uniform(-0.1, 0.1, 4000)
    soundfile.write(file, wave, 16000)
    return file


def empty(card: nb.NoiseCard, settings: Settings) -> Path:
    file = settings.paths["tried"] / "rain.wav"
    soundfile.write(file, np.zeros(4000), 16000)
    return file


@pytest.mark.parametrize(
    ("load", "check"),
    [(fixed, None), (fresh, "same when asked again"), (empty, "sound")],
)
def test_a_noise_has_sound_and_is_the_same_each_time(
    plugins: Plugins, settings: Settings, load: Any, check: str | None
) -> None:
    plugins.noises.add(nb.NoiseCard(name="rain", load=load), "the test")

    assert list(failed(check_noise("rain", plugins, settings))) == [check] * bool(check)


class Half(nb.Enhancer):
    """Removes what is small."""

    thread_safe = True

    def separate(self, wave: Any) -> Any:
        return np.where(np.abs(wave) > 0.01, wave, np.float32(0))


class Moody(Half):
    def separate(self, wave: Any) -> Any:
        return wave + np.float32(1e-3 * next(_CALLS))


class Careless(Half):
    def separate(self, wave: Any) -> Any:
        wave *= np.float32(0.5)
        return wave


class Short(Half):
    def separate(self, wave: Any) -> Any:
        return wave[:-1]


class Deaf(Half):
    def separate(self, wave: Any) -> Any:
        return 0 * wave


class Shared(Half):
    thread_safe = True

    def separate(self, wave: Any) -> Any:
        self.wave = wave
        time.sleep(0.01)
        return np.resize(self.wave, wave.shape)


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Half, None),
        (Moody, "same values when repeated"),
        (Careless, "keeps its input"),
        (Short, "returns waves"),
        (Deaf, "returns waves"),
        (Shared, "same in several threads"),
    ],
)
def test_each_check_fails_for_the_enhancer_that_breaks_it(
    kind: type[nb.Enhancer], check: str | None
) -> None:
    bound = bind(nb.EnhancerCard(name="half", load=kind), Spec("half"))

    found = failed(check_enhancer(bound, "cpu"))

    assert (check in found) if check else found == {}
