import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nserbench.benchmark.extraction.export_audio import export
from nserbench.benchmark.jobs.job import Job
from nserbench.benchmark.jobs.prepare import prepare
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.name_lookup import conditions, read_corpora
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import make_study, open_corpora
from nserbench.corpora.audio import read_audio
from nserbench.corpora.noise.cards import nserbench_noises
from nserbench.corpora.noise.file_sets import audio_files
from nserbench.corpora.noise.mixing import measured_snr
from nserbench.errors import CorpusMissing
from nserbench.progress import Silent
from nserbench.settings import Settings, load_settings

CARDS = {card.name: card for card in nserbench_noises()}
MUSAN = {
    "music/fma/music-fma-0000.wav",
    "music/jamendo/music-jamendo-0001.wav",
    "noise/free-sound/noise-free-sound-0000.wav",
    "noise/free-sound/noise-free-sound-0001.wav",
    "noise/sound-bible/noise-sound-bible-0000.wav",
    "speech/librivox/speech-librivox-0000.wav",
    "speech/us-gov/speech-us-gov-0000.wav",
}
HEADER = "filename,fold,target,category,esc10,src_file,take"
# Of each group the first and the last class, as in the README's table.
CLASSES = {
    "animals": {0: "dog", 9: "crow"},
    "nature": {10: "rain", 19: "thunderstorm"},
    "human": {20: "crying_baby", 29: "drinking_sipping"},
    "domestic": {30: "door_wood_knock", 39: "glass_breaking"},
    "urban": {40: "helicopter", 49: "hand_saw"},
}


def write(file: Path, seconds: float, seed: int, rate: int = 16_000) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    wave = np.random.default_rng(seed).normal(0, 0.1, int(seconds * rate))
    soundfile.write(file, wave, rate, subtype="PCM_16")


@pytest.fixture
def musan(tmp_path: Path) -> Path:
    """Build a MUSAN of seven files, with the texts that lie beside them."""
    folder = tmp_path / "musan"
    for seed, name in enumerate(sorted(MUSAN)):
        write(folder / name, 1.0 + 0.1 * seed, seed)
    (folder / "README").write_text("MUSAN")
    for name in sorted(MUSAN):
        for text in ("ANNOTATIONS", "LICENSE"):
            (folder / name).with_name(text).write_text("CC")
    return folder


@pytest.fixture
def esc50(tmp_path: Path) -> Path:
    """Build an ESC-50 of twenty clips, two for each of ten classes."""
    folder = tmp_path / "ESC-50-master"
    lines = [HEADER]
    for group in CLASSES.values():
        for target, category in group.items():
            for fold, clip in ((1, 100032), (5, 203128)):
                name = f"{fold}-{clip}-A-{target}.wav"
                write(folder / "audio" / name, 0.5, 100 * fold + target, 44_100)
                lines.append(f"{name},{fold},{target},{category},False,{clip},A")
    (folder / "meta").mkdir()
    (folder / "meta/esc50.csv").write_text("\n".join(lines) + "\n")
    (folder / "LICENSE").write_text("CC BY-NC")
    return folder


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Write eight utterances of four speakers; give their manifest."""
    rows = [["path", "id", "label", "speaker", "fold"]]
    for number in range(8):
        speaker, label = number // 2, ("low", "high")[number % 2]
        name = f"s{speaker}_{label}"
        write(tmp_path / f"notes/{name}.wav", 0.3, 1000 + number)
        rows.append([f"{name}.wav", name, label, f"s{speaker}", str(speaker % 2)])
    file = tmp_path / "notes/notes.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return file


def settings(**folders: Path) -> Settings:
    return Settings(paths=folders, environment={})


@pytest.mark.parametrize("part", ["noise", "music", "speech"])
def test_musan_gives_the_audio_of_one_of_its_folders(musan: Path, part: str) -> None:
    found = CARDS[f"musan/{part}"].file(settings(musan=musan))

    names = {file.relative_to(musan).as_posix() for file in audio_files(found)}
    assert names == {name for name in MUSAN if name.startswith(part)}


@pytest.mark.parametrize("group", CLASSES)
def test_a_group_of_esc50_has_the_clips_of_ten_targets(esc50: Path, group: str) -> None:
    found = CARDS[f"esc50/{group}"].file(settings(esc50=esc50))

    with (esc50 / "meta/esc50.csv").open(newline="") as stream:
        categories = {
            row["filename"]: row["category"] for row in csv.DictReader(stream)
        }
    heard = [categories[file.name] for file in audio_files(found)]
    assert sorted(heard) == sorted(2 * list(CLASSES[group].values()))


def test_esc50_alone_has_all_clips(esc50: Path) -> None:
    found = CARDS["esc50"].file(settings(esc50=esc50))

    assert len(audio_files(found)) == 20


def missing(name: str, **folders: Path) -> str:
    with pytest.raises(CorpusMissing) as caught:
        CARDS[name].file(settings(**folders))
    return str(caught.value)


@pytest.mark.parametrize("name", [name for name in CARDS if "/" in name] + ["esc50"])
def test_an_unset_folder_is_answered_with_the_way_to_get_it(name: str) -> None:
    collection = name.partition("/")[0]

    said = missing(name)

    assert said.startswith(f"{collection} is not on this machine: NSERBENCH_")
    assert f'write "{name}" = "FILE" under [noises]' in said
    assert "https://" in said


def test_a_musan_folder_at_another_level_is_recognised(musan: Path) -> None:
    right = f"it is in another folder: set NSERBENCH_MUSAN to {musan}"

    for wrong in (musan.parent, musan / "noise", musan / "noise/free-sound"):
        assert missing("musan/noise", musan=wrong).endswith(right)


def test_an_esc50_folder_at_another_level_is_recognised(esc50: Path) -> None:
    right = f"it is in another folder: set NSERBENCH_ESC50 to {esc50}"

    for wrong in (esc50.parent, esc50 / "audio", esc50 / "meta"):
        assert missing("esc50/animals", esc50=wrong).endswith(right)


def test_the_wrong_folder_is_answered_with_what_is_not_there(tmp_path: Path) -> None:
    said = missing("musan/noise", musan=tmp_path)

    assert said.splitlines()[0] == (
        f"noise 'musan/noise' is not on this machine: there is no {tmp_path}/noise"
    )


def test_a_name_with_a_slash_is_taken_apart_from_its_corpus() -> None:
    plugins = Plugins(installed=False)

    places = read_corpora(["emodb-musan/noise,demo"], ["esc50/urban"], plugins)

    assert [(place.corpus.card.name, place.noise) for place in places] == [
        ("emodb", "musan/noise"),
        ("demo", "esc50/urban"),
    ]


def exported(
    notes: Path, noise: str, snrs: list[float], folder: Path, known: Settings
) -> list[list[dict[str, str]]]:
    """Return the rows of the manifest of each level."""
    plugins = Plugins(installed=False)
    (place,) = read_corpora([f"manifest:path={notes}"], [noise], plugins)
    (opened,) = open_corpora([place], None, plugins, known).values()
    tables = []
    for condition in conditions(place.noise, snrs):
        file = export(opened, condition, folder / str(condition), 0, Silent())
        with file.open(newline="") as stream:
            tables.append([*csv.DictReader(stream)])
    return tables


def test_the_manifest_of_a_mix_names_the_file_and_the_place_in_it(
    notes: Path, musan: Path, tmp_path: Path
) -> None:
    loud, soft = exported(
        notes, "musan/noise", [-5.0, 5.0], tmp_path / "out", settings(musan=musan)
    )

    places = [
        [(row["noise_file"], row["offset"]) for row in rows] for rows in (loud, soft)
    ]
    assert places[0] == places[1]
    assert len(set(places[0])) > 4
    for row in soft:
        speech, file = read_audio(Path(row["source"])), Path(row["noise_file"])
        assert file.parent.parent == musan / "noise"
        start = int(row["offset"])
        part = read_audio(file)[start : start + len(speech)].astype(np.float64)
        made = speech + float(row["gain"]) * (part - part.mean())
        noisy = read_audio(tmp_path / "out/musan/noise@5" / row["path"])
        np.testing.assert_allclose(noisy, made, atol=1e-6)
        added = noisy.astype(np.float64) - speech
        assert measured_snr(speech, added) == pytest.approx(5.0, abs=0.01)


def test_a_folder_and_a_pattern_of_the_users_are_noises(
    notes: Path, esc50: Path, tmp_path: Path
) -> None:
    file = tmp_path / "nserbench.toml"
    file.write_text(
        "[noises]\n"
        '"my/rain" = "ESC-50-master/audio/*-10.wav"\n'
        'clips = "ESC-50-master"\n'
    )
    known = load_settings(file)

    (rain,) = exported(notes, "my/rain", [0.0], tmp_path / "rain", known)
    (clips,) = exported(notes, "clips", [0.0], tmp_path / "clips", known)

    assert {Path(row["noise_file"]).name for row in rain} <= {
        "1-100032-A-10.wav",
        "5-203128-A-10.wav",
    }
    assert len({row["noise_file"] for row in clips}) > 4


def test_a_folder_of_the_users_without_audio_is_refused(
    notes: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    known = Settings(noises={"din": tmp_path / "empty"}, environment={})

    with pytest.raises(
        CorpusMissing, match=r"'din' is set to .*empty, which has no audio files"
    ):
        exported(notes, "din", [0.0], tmp_path / "out", known)


@pytest.fixture
def job(notes: Path, tmp_path: Path) -> Callable[[Path], Job]:
    """Return a function that prepares mel x mean on the notes in a MUSAN's noise."""

    def make(musan: Path) -> Job:
        request = Request(
            upstreams=["mel"],
            downstreams=["mean"],
            corpora=[f"manifest:path={notes}"],
            noises=["musan/noise"],
        )
        study = make_study(request, Plugins(installed=False), settings(musan=musan))
        (found,) = prepare(study, Store(tmp_path / "store"), Silent())
        return found

    return make


def test_only_features_with_a_changed_noise_file_are_extracted_again(
    job: Callable[[Path], Job], musan: Path
) -> None:
    changed = musan / "noise/free-sound/noise-free-sound-0000.wav"
    before = job(musan)
    noise = before.extraction.noise
    assert noise is not None
    hear = {
        clip.utterance.id: noise.segment_for(clip.utterance.id, clip.samples, 0).path
        for clip in before.clips
    }
    seconds = soundfile.info(changed).duration
    write(changed, seconds, seed=77)

    after = job(musan)

    assert after.extraction.identity == before.extraction.identity
    for clip, old, new in zip(before.clips, before.keys, after.keys, strict=True):
        assert (old != new) == (hear[clip.utterance.id] == changed)
    assert after.digest != before.digest


def test_moving_the_collection_changes_no_key(
    job: Callable[[Path], Job], musan: Path, tmp_path: Path
) -> None:
    before = job(musan)

    after = job(musan.rename(tmp_path / "moved"))

    assert after.digest == before.digest
