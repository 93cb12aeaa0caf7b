from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from tiny_models import save_tiny

import nserbench as nb
from nserbench.benchmark.extraction.clips import read_clips
from nserbench.benchmark.extraction.extract import ModelCache, extract_missing
from nserbench.benchmark.extraction.need import Need, entries_of
from nserbench.benchmark.extraction.resolve_checkpoints import resolve_upstream
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.store.feature_store import Form, Store
from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.name_lookup import read_corpora, read_upstreams
from nserbench.benchmark.study.study import open_corpora
from nserbench.progress import Silent
from nserbench.settings import load_settings

FORMS: tuple[Form, ...] = ("pooled", "frames")


def stored(name: str, corpus: str, snr: float | None) -> dict[str, dict[str, Any]]:
    """Return what an extraction stores of the first clip: its forms by group."""
    plugins, store = Plugins(installed=False), Store(Path("store"))
    (place,) = read_corpora([corpus], [], plugins)
    (opened,) = open_corpora([place], None, plugins, load_settings()).values()
    (upstream,) = read_upstreams([name], plugins)
    condition = Condition(place.noise, snr)
    source = resolve_upstream(upstream, store).extraction(opened, condition, 0)
    clips = read_clips(opened.corpus.utterances[:3], store.file_facts, Silent())
    need = Need.of(source, clips, entries_of(source, FORMS))
    extract_missing(need, store, ModelCache("cpu"), Silent())
    features, key = need.stored(store), source.key(clips[0])
    return {
        group: {
            form: features.read(form, key, group, range(len(spec.layers)))
            for form in FORMS
        }
        for group, spec in upstream.card.describe(upstream.options).groups.items()
    }


@pytest.mark.parametrize("name", ["mel", "whisper"])
def test_they_are_those_that_an_extraction_stores_to_the_bit(
    name: str, notes: str, tmp_path: Path
) -> None:
    if name == "whisper":
        name = f"whisper:checkpoint={save_tiny(tmp_path, 'whisper')}"
    expected = stored(name, notes.replace("manifest", "manifest-hiss"), -5)
    first = nb.corpus(notes).utterances[0]

    noisy = nb.mix(first, "hiss", -5)
    found = nb.features(noisy, name, rate=16000, device="cpu")

    assert found.keys() == expected.keys()
    for group, of_group in expected.items():
        assert found[group].dtype == np.float32
        assert np.array_equal(found[group].astype(np.float16), of_group["frames"])
        pooled = torch.tensor(found[group]).mean(dim=1).numpy()
        assert np.array_equal(pooled, of_group["pooled"])
    torch.set_default_dtype(torch.float64)  # as some notebooks do
    try:
        upstream = nb.get_upstream(name, device="cpu")
        again = nb.features(noisy, upstream, rate=16000)
    finally:
        torch.set_default_dtype(torch.float32)
    clean = nb.features(first, upstream)
    assert all(np.array_equal(again[group], found[group]) for group in found)
    assert all(not np.array_equal(clean[group], found[group]) for group in found)


def test_samples_in_memory_are_read_as_those_of_a_file() -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal(3 * 44100)
    soundfile.write("long.wav", wave, 44100, subtype="FLOAT")

    of_file = nb.features("long.wav", "mel")
    of_array = nb.features(wave, "mel", rate=44100)

    assert np.array_equal(of_file["mel"], of_array["mel"])


def test_several_upstreams_have_their_groups_under_longer_names(
    notes: str, tmp_path: Path
) -> None:
    wave = nb.corpus(notes).utterances[0].path
    reader = f"{{bert:checkpoint={save_tiny(tmp_path, 'bert')}}}"

    found = nb.features(wave, f"mel+{reader}", text="so what", device="cpu")

    assert [*found] == ["mel.mel", "bert.text"]
    assert np.array_equal(found["mel.mel"], nb.features(wave, "mel")["mel"])


@pytest.mark.parametrize(
    ("wave", "options", "message"),
    [
        (np.ones(9), {}, "needs its sampling rate in Hz, such as rate=16000"),
        (np.ones(9, int), {"rate": 16000}, "16-bit integers: divide by 32768"),
        (np.ones((2, 9)), {"rate": 16000}, r"not float64 of the shape \(2, 9\)"),
        (np.ones(9), {"rate": 16000}, "silent throughout"),
        ("a.wav", {"rate": 16000}, "leave rate= out"),
        ("a.wav", {}, "a.wav .*replace the file"),
        (None, {}, "mel reads audio: give a file or an array"),
    ],
)
def test_audio_that_cannot_be_used_is_refused(
    wave: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(nb.NserbenchError, match=message):
        nb.features(wave, "mel", **options)


def test_the_text_of_an_upstream_that_reads_texts_is_asked_for(tmp_path: Path) -> None:
    name = f"bert:checkpoint={save_tiny(tmp_path, 'bert')}"

    with pytest.raises(nb.NserbenchError, match="reads a text: give it as text="):
        nb.features(None, name, device="cpu")
    found = nb.features(None, name, text="so what", device="cpu")

    assert [states.ndim for states in found.values()] == [3]
