from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from notes import write_noise

import nserbench as nb
from nserbench.benchmark.extraction.export_audio import MANIFEST
from nserbench.cli import main
from nserbench.corpora.audio import read_audio
from nserbench.corpora.noise.mixing import measured_snr


def test_a_mixture_is_the_one_that_the_command_line_writes(notes: str) -> None:
    noisy = notes.replace("manifest", "manifest-hiss")
    answer = CliRunner().invoke(main, f"mix -c {noisy} --snr -5 -o out".split())
    assert answer.exit_code == 0, answer.output
    (manifest,) = Path("out").rglob(MANIFEST)
    speech = nb.corpus(notes).utterances[3]

    mixed = nb.mix(speech, "hiss", -5)

    assert np.array_equal(mixed, read_audio(manifest.with_name(f"{speech.id}.wav")))
    assert np.array_equal(mixed, nb.mix(speech.path, Path("hiss.wav"), -5))
    own = replace(nb.corpus(notes), noises={"hiss": Path("own.wav")})
    write_noise(Path("own.wav"), seed=5)
    assert not np.array_equal(mixed, nb.mix(speech, "hiss", -5, corpus=own))


def test_samples_are_mixed_at_the_snr() -> None:
    rng = np.random.default_rng(0)
    speech, noise = rng.standard_normal((2, 8000))

    mixed = nb.mix(speech, noise, 5, rate=16000)

    added = mixed - speech.astype(np.float32)
    assert measured_snr(speech, added) == pytest.approx(5, abs=1e-4)
    again = nb.mix(speech, noise[:4000], 5, rate=16000, id="another")
    assert not np.array_equal(again, mixed)


def test_a_corpus_is_read_with_its_utterances(notes: str) -> None:
    whole, part = nb.corpus(notes), nb.corpus(notes, limit=8)

    assert (len(whole.utterances), len(part.utterances)) == (24, 8)
    with pytest.raises(nb.NserbenchError, match="leave the noise out"):
        nb.corpus("manifest-hiss:notes.csv")


def test_a_wrong_noise_or_snr_is_refused() -> None:
    wave = np.random.default_rng(0).standard_normal(8000)
    write_noise(Path("hiss.wav"))

    with pytest.raises(nb.NserbenchError, match="unknown noise 'prak'"):
        nb.mix(wave, "prak", 5, rate=16000)
    with pytest.raises(nb.NserbenchError, match="which has no audio files"):
        nb.mix(wave, "no-such.wav", 5, rate=16000)
    with pytest.raises(nb.NserbenchError, match="snr is nan, and must be one number"):
        nb.mix(wave, wave, float("nan"), rate=16000)
    with pytest.raises(nb.NserbenchError, match=r"corpus=nserbench.corpus\('demo'\)"):
        nb.mix(wave, wave, 5, rate=16000, corpus="demo")  # type: ignore[arg-type]
    with pytest.raises(nb.NserbenchError, match="rate= is for arrays"):
        nb.mix("hiss.wav", "hiss.wav", 5, rate=16000)
