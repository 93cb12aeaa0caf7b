import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import welch

from nserbench.corpora.base import Corpus
from nserbench.corpora.cards import DEMO
from nserbench.corpora.demo import demo
from nserbench.corpora.demo.synthesis import RATE, Floats, Voice, speak
from nserbench.settings import Settings

SHORTEST, LONGEST = RATE // 450, RATE // 70  # periods of a voice, in samples
NOISES = ("human", "park", "traffic")
VOICE = Voice(
    pitch=4.0,
    span=2.0,
    pace=4.5,
    level=-30.0,
    tilt=-2.0,
    breath=-20.0,
    jitter=0.01,
    tract=1.0,
)


def settings_of(store: Path) -> Settings:
    return Settings(paths={"store": store}, environment={})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def corpus(store: Path) -> Corpus:
    return demo.load({}, settings_of(store))


@pytest.fixture(scope="module")
def waves(corpus: Corpus) -> dict[str, Floats]:
    return {one.id: soundfile.read(one.path)[0] for one in corpus.utterances}


@pytest.fixture(scope="module")
def noises(corpus: Corpus) -> dict[str, Floats]:
    return {name: soundfile.read(path)[0] for name, path in corpus.noises.items()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a corpus of four utterances and no noise, for tests of its making."""
    monkeypatch.setattr(demo, "FOLDS", {"1": ("f1",)})
    monkeypatch.setattr(demo, "TAKES", 1)
    monkeypatch.setattr(demo, "NOISES", {})


def decibels(wave: Floats) -> float:
    return float(10 * np.log10(np.mean(wave**2)))


def share(wave: Floats, low: float, high: float) -> float:
    """Return the part of the power between two frequencies in Hz."""
    hertz, power = welch(wave, RATE, nperseg=1024)
    return float(power[(hertz >= low) & (hertz < high)].sum() / power.sum())


def pitch(wave: Floats) -> float:
    """Return the median pitch in Hz, by the autocorrelation of 40 ms frames.

    Boersma, Proc. IFA 17 (1993): divided by that of the window.
    """
    frames = sliding_window_view(wave, 640)[::320]
    loud = frames[np.mean(frames**2, axis=1) > 0.3 * np.mean(wave**2)]
    window = np.hanning(640)
    similar = autocorrelation(loud * window) / autocorrelation(window)
    return float(np.median(RATE / (SHORTEST + similar.argmax(axis=1))))


def autocorrelation(frames: Floats) -> Floats:
    lags = np.fft.irfft(np.abs(np.fft.rfft(frames, 2048)) ** 2)
    return np.asarray(lags[..., SHORTEST:LONGEST] / lags[..., :1])


def test_is_of_eight_speakers_with_the_same_number_of_each_class(
    corpus: Corpus,
) -> None:
    counts = Counter((one.speaker, one.label) for one in corpus.utterances)

    assert corpus.classes == ("anger", "happiness", "neutral", "sadness")
    assert len(counts) == 8 * 4
    assert set(counts.values()) == {demo.TAKES}
    assert len(corpus.utterances) >= 240


def test_folds_share_no_speaker_and_have_both_sexes(corpus: Corpus) -> None:
    speakers = {
        fold: {one.speaker for one in corpus.utterances if one.fold == fold}
        for fold in corpus.folds
    }

    assert speakers == {"1": {"f1", "f2", "m1", "m2"}, "2": {"f3", "f4", "m3", "m4"}}


def test_every_file_is_16_khz_16_bit_mono_of_one_to_three_seconds(
    corpus: Corpus,
) -> None:
    infos = [soundfile.info(one.path) for one in corpus.utterances]

    assert {(info.samplerate, info.channels, info.subtype) for info in infos} == {
        (RATE, 1, "PCM_16")
    }
    assert all(1.0 <= info.duration <= 3.0 for info in infos)


def test_nothing_clips(waves: dict[str, Floats], noises: dict[str, Floats]) -> None:
    assert max(np.abs(wave).max() for wave in waves.values()) < 0.95
    assert max(np.abs(wave).max() for wave in noises.values()) < 0.95


def test_no_two_utterances_are_alike(waves: dict[str, Floats]) -> None:
    assert len({wave.tobytes() for wave in waves.values()}) == len(waves)


def test_an_utterance_is_the_same_in_any_process_and_order(
    corpus: Corpus, waves: dict[str, Floats]
) -> None:
    asked = ["m4_sadness_02", "f1_anger_00"]
    program = (
        "import hashlib, sys; from nserbench.corpora.demo.demo import synthesise\n"
        "for name in sys.argv[1:]:\n"
        "    print(hashlib.sha256(synthesise(name).tobytes()).hexdigest())"
    )

    other = subprocess.run(
        [sys.executable, "-c", program, *asked],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    here = {name: demo.synthesise(name) for name in reversed(asked)}

    assert other == [hashlib.sha256(here[one].tobytes()).hexdigest() for one in asked]
    for name in asked:
        np.testing.assert_allclose(waves[name], here[name], atol=1 / 2**15)


def test_a_second_load_makes_nothing(
    corpus: Corpus, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(demo, "_make")

    again = demo.load({}, settings_of(store))

    assert again == corpus


@pytest.mark.usefixtures("small")
def test_a_making_that_stopped_half_way_is_not_taken_for_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(name: str) -> Floats:
        if "neutral" in name:
            raise KeyboardInterrupt
        return np.zeros(RATE)

    with monkeypatch.context() as patch:
        patch.setattr(demo, "synthesise", stop)
        with pytest.raises(KeyboardInterrupt):
            demo.load({}, settings_of(tmp_path))
    corpus = demo.load({}, settings_of(tmp_path))

    assert all(np.any(soundfile.read(one.path)[0]) for one in corpus.utterances)


@pytest.mark.usefixtures("small")
def test_of_two_processes_that_make_it_the_first_to_end_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "demo" / f"v{demo.VERSION}"

    def other_process_ends(rng: np.random.Generator) -> Floats:
        folder.mkdir()
        (folder / "noise_human.wav").write_text("the other's")
        return rng.standard_normal(RATE)

    monkeypatch.setattr(demo, "NOISES", {"human": other_process_ends})
    corpus = demo.load({}, settings_of(tmp_path))

    assert corpus.noises["human"].read_text() == "the other's"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.usefixtures("small")
def test_a_folder_that_cannot_be_put_in_place_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "rename", full)

    with pytest.raises(OSError, match="no space left"):
        demo.load({}, settings_of(tmp_path))


def test_anger_is_higher_louder_and_brighter_than_sadness_for_every_speaker(
    waves: dict[str, Floats],
) -> None:
    for speaker in demo.SPEAKERS:
        anger, sadness = (
            [
                (pitch(wave), decibels(wave), share(wave, 1000, 4000))
                for name, wave in waves.items()
                if name.startswith(f"{speaker}_{emotion}_")
            ]
            for emotion in ("anger", "sadness")
        )

        assert np.all(np.mean(anger, axis=0) > np.mean(sadness, axis=0))


def test_neighbouring_classes_overlap(waves: dict[str, Floats]) -> None:
    bright = {
        emotion: [share(w, 1000, 4000) for name, w in waves.items() if emotion in name]
        for emotion in demo.EMOTIONS
    }

    assert min(bright["anger"]) < max(bright["neutral"])
    assert min(bright["neutral"]) < max(bright["sadness"])


@pytest.mark.parametrize("semitones", [0.0, 7.0, 12.0])
def test_pitch_is_the_one_asked_for(semitones: float) -> None:
    voice = VOICE._replace(pitch=semitones, span=0.0)

    wave = speak(voice, 2.0, np.random.default_rng(0))

    assert pitch(wave) == pytest.approx(100 * 2 ** (semitones / 12), rel=0.06)


@pytest.mark.parametrize("samples", [RATE, RATE + 1, 128 * 200 - 1, 128 * 200 + 1])
def test_length_and_level_are_those_asked_for(samples: int) -> None:
    wave = speak(VOICE, samples / RATE, np.random.default_rng(0))

    assert len(wave) == samples
    assert decibels(wave) == pytest.approx(VOICE.level, abs=0.01)


@pytest.mark.parametrize("change", [{"tilt": 4.0}, {"breath": 0.0}, {"tract": 1.2}])
def test_a_flat_breathy_or_short_throated_voice_is_brighter(
    change: dict[str, float],
) -> None:
    plain = speak(VOICE, 3.0, np.random.default_rng(0))
    other = speak(VOICE._replace(**change), 3.0, np.random.default_rng(0))

    assert share(other, 2000, 3000) > 3 * share(plain, 2000, 3000)


def test_files_have_the_version_of_the_card() -> None:
    assert DEMO.version == demo.VERSION


def test_noises_are_a_minute_long(noises: dict[str, Floats]) -> None:
    assert set(noises) == set(NOISES)
    assert all(len(wave) >= 60 * RATE for wave in noises.values())


def test_noises_are_nowhere_silent(noises: dict[str, Floats]) -> None:
    for wave in noises.values():
        seconds = wave[: 60 * RATE].reshape(60, RATE)
        assert np.all(np.mean(seconds**2, axis=1) > 1e-3 * np.mean(wave**2))


def test_each_noise_has_a_spectrum_of_its_own(noises: dict[str, Floats]) -> None:
    speech = {name: share(wave, 300, 2000) for name, wave in noises.items()}
    birds = {name: share(wave, 2000, 6000) for name, wave in noises.items()}
    rumble = {name: share(wave, 0, 150) for name, wave in noises.items()}

    assert max(speech, key=speech.__getitem__) == "human"
    assert birds["park"] > 10 * birds["traffic"]
    assert rumble["traffic"] > 2 * rumble["human"]
