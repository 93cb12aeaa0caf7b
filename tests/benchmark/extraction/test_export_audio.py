import csv
import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from nserbench.benchmark.extraction.clips import read_clips
from nserbench.benchmark.extraction.export_audio import export
from nserbench.benchmark.store.file_facts import FileFacts
from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.study import OpenedCorpus, Study
from nserbench.corpora.audio import audio_digest, read_audio
from nserbench.corpora.base import Utterance
from nserbench.corpora.noise.mixing import add_noise, measured_snr
from nserbench.errors import BadAudio
from nserbench.progress import Silent

Ask = Callable[..., Study]


@pytest.fixture
def opened(ask: Ask) -> OpenedCorpus:
    (found,) = ask(noises=["hiss"]).corpora.values()
    return found


def write(
    opened: OpenedCorpus, condition: Condition, folder: Path, seed: int = 0
) -> Path:
    return export(opened, condition, folder, seed, Silent())


def rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(newline="") as stream:
        return list(csv.DictReader(stream))


def with_utterances(opened: OpenedCorpus, utterances: list[Utterance]) -> OpenedCorpus:
    corpus = dataclasses.replace(opened.corpus, utterances=utterances)
    return dataclasses.replace(opened, corpus=corpus)


@pytest.mark.parametrize("snr", [-10.0, -5.0, 0.0, 5.0, 10.0])
def test_the_snr_in_the_files_is_the_requested_one(
    opened: OpenedCorpus, tmp_path: Path, snr: float
) -> None:
    manifest = write(opened, Condition("hiss", snr), tmp_path / "out")

    for row in rows(manifest):
        speech = read_audio(Path(row["source"]))
        noisy = read_audio(manifest.parent / row["path"])
        found = measured_snr(speech, noisy.astype(np.float64) - speech)
        assert found == pytest.approx(snr, abs=0.01)
        assert float(row["measured_snr"]) == pytest.approx(found, abs=1e-3)


def test_the_manifest_says_how_each_file_was_made(
    opened: OpenedCorpus, tmp_path: Path, hiss: Path
) -> None:
    manifest = write(opened, Condition("hiss", 5.0), tmp_path / "out")

    found = rows(manifest)
    noise = read_audio(hiss)
    assert [row["id"] for row in found] == [one.id for one in opened.corpus.utterances]
    for row in found:
        file = manifest.parent / row["path"]
        speech, start = read_audio(Path(row["source"])), int(row["offset"])
        part = noise[start : start + len(speech)].astype(np.float64)
        made = speech + float(row["gain"]) * (part - part.mean())
        np.testing.assert_allclose(read_audio(file), made, atol=1e-6)
        assert row["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert (row["noise"], row["snr"]) == ("hiss", "5.0")
        assert row["noise_file"] == str(hiss)
        info = soundfile.info(file)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "FLOAT")


@pytest.mark.parametrize("condition", [Condition("hiss", 0.0), Condition()])
def test_an_export_is_a_corpus_with_the_audio_that_an_upstream_receives(
    ask: Ask, opened: OpenedCorpus, tmp_path: Path, condition: Condition
) -> None:
    manifest = write(opened, condition, tmp_path / "out")

    (back,) = ask(corpora=[f"manifest:path={manifest}"]).corpora.values()

    clips = read_clips(back.corpus.utterances, FileFacts(tmp_path / "ledger"), Silent())
    facts = ("id", "label", "speaker", "fold")
    noise = opened.noise(condition)
    for clip, one in zip(clips, opened.corpus.utterances, strict=True):
        assert [getattr(clip.utterance, key) for key in facts] == [
            getattr(one, key) for key in facts
        ]
        wave = read_audio(one.path)
        if noise is not None and condition.snr is not None:
            wave = add_noise(wave, noise, one.id, condition.snr, seed=0).wave
        assert clip.digest == audio_digest(wave)


def test_a_mixture_does_not_depend_on_other_utterances_or_their_order(
    opened: OpenedCorpus, tmp_path: Path
) -> None:
    few = list(opened.corpus.utterances)[::-3]
    condition = Condition("hiss", 0.0)

    everyone = rows(write(opened, condition, tmp_path / "all"))
    some = rows(write(with_utterances(opened, few), condition, tmp_path / "few"))

    digests = {row["id"]: row["sha256"] for row in everyone}
    assert [row["id"] for row in some] == [one.id for one in few]
    assert all(digests[row["id"]] == row["sha256"] for row in some)


def test_a_file_does_not_contain_the_time_of_writing(
    opened: OpenedCorpus, tmp_path: Path
) -> None:
    (first, *_) = rows(write(opened, Condition("hiss", 0.0), tmp_path))

    content = (tmp_path / first["path"]).read_bytes()
    assert content[:4] == b"RIFF"
    assert b"PEAK" not in content[:80]  # libsndfile's, which has a time stamp


def test_all_snrs_use_the_same_part_of_the_noise_and_seeds_do_not(
    opened: OpenedCorpus, tmp_path: Path
) -> None:
    offsets = [
        [row["offset"] for row in rows(write(opened, condition, tmp_path / name, seed))]
        for name, condition, seed in (
            ("loud", Condition("hiss", -5.0), 0),
            ("soft", Condition("hiss", 5.0), 0),
            ("other", Condition("hiss", 5.0), 1),
        )
    ]

    assert offsets[0] == offsets[1]
    assert offsets[1] != offsets[2]


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/b", "..", "憤怒", "a:b"])
def test_no_name_leads_out_of_the_folder(
    opened: OpenedCorpus, tmp_path: Path, name: str
) -> None:
    one = dataclasses.replace(opened.corpus.utterances[0], id=name)
    folder = tmp_path / "deep" / "out"

    manifest = write(with_utterances(opened, [one]), Condition(), folder)

    (row,) = rows(manifest)
    assert row["id"] == name
    assert {path.name for path in folder.iterdir()} == {"manifest.csv", row["path"]}
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_an_interrupted_export_leaves_no_manifest(
    opened: OpenedCorpus, tmp_path: Path, hiss: Any
) -> None:
    folder = tmp_path / "out"
    write(opened, Condition("hiss", 0.0), folder)
    opened.corpus.utterances[5].path.write_bytes(b"no audio")

    with pytest.raises(BadAudio, match="cannot be read"):
        write(opened, Condition("hiss", 5.0), folder)

    assert not (folder / "manifest.csv").exists()
