import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import trees

from nserbench.benchmark.checks.doctor import examine
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.corpora.audio_headers import read_header
from nserbench.corpora.base import Corpus, CorpusCard, Utterance
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.corpora.tools.findings import CorpusFinding, CorpusReport
from nserbench.errors import BadAudio, NserbenchError, UnknownName
from nserbench.progress import Silent
from nserbench.settings import Settings

RATE = 16_000
COLUMNS = ("path", "id", "label", "speaker", "fold", "start", "end", "text")


def noise(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * rate))


def write_corpus(folder: Path) -> dict[str, dict[str, str]]:
    """Write eight valid clips, two speakers in each of two folds; return their rows."""
    rows = {}
    for seed in range(8):
        name = f"u{seed}"
        soundfile.write(folder / f"{name}.wav", noise(0.2, seed), RATE)
        rows[name] = {
            "path": f"{name}.wav",
            "id": name,
            "label": ("low", "high")[seed % 2],
            "speaker": f"s{seed // 2}",
            "fold": str(1 + seed // 4),
            "text": "yes",
        }
    return rows


def list_corpus(folder: Path, rows: dict[str, dict[str, str]]) -> str:
    """Write the manifest, and return the name of the corpus."""
    with (folder / "notes.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows.values())
    return f"manifest:{folder / 'notes.csv'}"


def look(*names: str, deep: bool = False, **folders: Path) -> list[CorpusReport]:
    settings = Settings(environment={}).using(**folders)
    plugins = Plugins(installed=False)
    return list(examine(names, plugins, settings, deep, Silent()))


def finding(reports: Iterable[CorpusReport], check: str) -> CorpusFinding:
    (report,) = reports
    return next(one for one in report.findings if one.check == check)


def test_a_corpus_without_faults_is_green(tmp_path: Path) -> None:
    name = list_corpus(tmp_path, write_corpus(tmp_path))

    (report,) = look(name, deep=True)

    assert report.severity == "green", report
    assert {one.check: one.detail for one in report.findings}["reading"] == (
        "8 utterances of 8 rows in 2 classes"
    )


def test_rows_of_other_labels_are_counted(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    one = next(iter(rows.values()))["label"]
    used = sum(row["label"] == one for row in rows.values())

    found = finding(look(f"{list_corpus(tmp_path, rows)},classes={one}"), "reading")

    assert found.detail == (
        f"{used} utterances of 8 rows in 1 class, {8 - used} rows of other labels"
    )


def test_every_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    whole = (tmp_path / "u1.wav").read_bytes()
    (tmp_path / "u0.wav").unlink()
    (tmp_path / "u1.wav").write_bytes(whole[:1000])
    (tmp_path / "u2.wav").write_bytes(b"no sound at all")
    soundfile.write(tmp_path / "u3.wav", np.zeros(0), RATE)
    rows["u4"]["end"] = "0.9"
    rows["u5"]["start"] = "0.2"

    found = finding(look(list_corpus(tmp_path, rows)), "files")

    assert (found.severity, found.detail) == ("red", "cannot be used: 6")
    for line, (told, file) in enumerate(zip(found.names, rows, strict=False), 2):
        place, _, problem = told.partition(": ")
        assert place.endswith(f", line {line}")
        assert problem.startswith(str(tmp_path / f"{file}.wav"))
    assert [told.partition(".wav ")[2] for told in found.names] == [
        "cannot be read (No such file or directory)",
        "is cut off: 14.9 % of the audio is there (0.030 s)",
        "cannot be read (Format not recognised)",
        "holds no samples",
        "ends before u4 does",
        "ends before u5 does",
    ]


def test_other_rates_stereo_and_odd_lengths_are_yellow(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    soundfile.write(tmp_path / "u0.wav", noise(0.2, rate=44_100), 44_100)
    soundfile.write(tmp_path / "u1.wav", noise(0.4).reshape(-1, 2), RATE)
    soundfile.write(tmp_path / "u2.wav", noise(30.1), RATE)
    rows["u3"] |= {"start": "0.1", "end": "0.14"}

    (report,) = look(list_corpus(tmp_path, rows))

    assert report.severity == "yellow"
    files = [str(tmp_path / f"u{number}.wav") for number in range(2)]
    assert [one for one in report.findings if one.severity == "yellow"] == [
        CorpusFinding("rate", "yellow", "resampled from 44.1 kHz: 1", (files[0],)),
        CorpusFinding(
            "channels",
            "yellow",
            "of 2 channels, converted to mono: 1",
            (files[1],),
        ),
        CorpusFinding(
            "length",
            "yellow",
            "under 50 ms or over 30 s: 2",
            ("u2 (30.1 s)", "u3 (0.04 s)"),
        ),
    ]


def test_exactly_50_ms_and_30_s_are_green(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    soundfile.write(tmp_path / "u0.wav", noise(0.05), RATE)
    soundfile.write(tmp_path / "u1.wav", noise(30.0), RATE)

    assert finding(look(list_corpus(tmp_path, rows)), "length").severity == "green"


def test_a_speaker_in_training_and_test_is_red(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    rows["u0"]["speaker"] = "s3"

    found = finding(look(list_corpus(tmp_path, rows)), "folds")

    assert found.severity == "red"
    assert "tests speakers that it also trains on: s3" in found.detail


def test_missing_texts_are_yellow(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    del rows["u3"]["text"]

    found = finding(look(list_corpus(tmp_path, rows)), "texts")

    assert (found.severity, found.names) == ("yellow", ("u3",))


def test_decoding_finds_silence_nan_and_clipping(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    wave = noise(0.2).astype(np.float32)
    soundfile.write(tmp_path / "u0.wav", 0 * wave, RATE)
    spoilt = np.where(np.arange(len(wave)) == 7, np.nan, wave)
    soundfile.write(tmp_path / "u1.wav", spoilt, RATE, subtype="FLOAT")
    loud = np.where(np.arange(len(wave)) < 32, -1.0, wave)
    soundfile.write(tmp_path / "u2.wav", loud, RATE)
    soundfile.write(tmp_path / "u3.wav", np.where(loud == -1, -0.99, wave), RATE)
    name = list_corpus(tmp_path, rows)

    shallow = look(name)
    deep = look(name, deep=True)

    assert shallow[0].severity == "green"
    assert finding(deep, "sound").severity == "red"
    silent, nan = finding(deep, "sound").names
    assert "u0.wav is silent throughout" in silent
    assert "u1.wav has samples that are NaN" in nan
    assert finding(deep, "clipping").severity == "yellow"
    assert finding(deep, "clipping").names == ("u2 (1.0 %)",)


def test_decoding_finds_odd_levels(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    wave = noise(0.2)
    odd = {
        "u0": 32768 * wave,
        "u1": wave / 2**16,
        "u2": np.column_stack([wave, 1e-5 - wave]),
    }
    for name, samples in odd.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")

    deep = look(list_corpus(tmp_path, rows), deep=True)

    peak, rms, mono = (finding(deep, check) for check in ("peak", "RMS", "mono"))
    assert {peak.severity, rms.severity, mono.severity} == {"yellow"}
    assert [name.partition(" ")[0] for name in peak.names] == ["u0"]
    assert [name.partition(" ")[0] for name in rms.names] == ["u1", "u2"]
    assert [name.partition(" ")[0] for name in mono.names] == ["u2"]


def test_copies_are_red_across_folds_and_yellow_within_a_fold(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    soundfile.write(tmp_path / "u1.wav", noise(0.2, 0), RATE)
    soundfile.write(tmp_path / "u7.wav", noise(0.2, 2), RATE)
    name = list_corpus(tmp_path, rows)

    reports = look(name, deep=True)

    across, within = (
        finding(reports, one) for one in ("copies across folds", "copies")
    )
    assert (across.severity, across.names) == ("red", ("u7 = u2",))
    assert (within.severity, within.names) == ("yellow", ("u1 = u0",))


def test_a_reader_that_raises_is_red_and_the_other_corpora_are_checked(
    tmp_path: Path, test_data: Path
) -> None:
    reports = look(
        "iemocap", "emodb", iemocap=tmp_path, emodb=test_data / "corpus/emodb"
    )

    assert [one.severity for one in reports] == ["red", "green"]
    (refused,) = reports[0].findings
    assert f"{tmp_path} holds no Session1" in refused.detail


def test_excluded_utterances_are_not_checked(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path)
    (tmp_path / "u0.wav").unlink()
    (tmp_path / "bad.txt").write_text("u0\n")
    name = f"{list_corpus(tmp_path, rows)},exclude={tmp_path / 'bad.txt'}"

    (report,) = look(name.replace("manifest:", "manifest:path="))

    assert report.severity == "green"
    assert report.findings[0].detail.endswith(", 1 left out by exclude=")


def published(edition: str, low: int) -> PublishedCounts:
    return PublishedCounts(
        edition=edition,
        classes={"low": low, "high": 1},
        folds={"1": 1, "2": 1},
        speakers={"a": 1, "b": 1},
    )


def expects(_: object) -> tuple[PublishedCounts, ...]:
    return published("small", 1), published("large", 5)


@pytest.mark.parametrize(
    ("edition", "severity", "names"),
    [
        ("small", "green", ()),
        ("large", "red", ("class low: 1 utterances, 5 expected",)),
        ("odd", "yellow", ()),
    ],
)
def test_counts_are_compared_with_those_of_the_edition_found(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    edition: str,
    severity: str,
    names: tuple[str, ...],
) -> None:
    soundfile.write(tmp_path / "a.wav", noise(0.2), RATE)
    ones = [
        Utterance(
            id=speaker, path=tmp_path / "a.wav", label=label, speaker=speaker, fold=fold
        )
        for speaker, label, fold in (("a", "low", "1"), ("b", "high", "2"))
    ]
    corpus = Corpus(
        ("low", "high"),
        ones,
        edition=edition,
        left_out={"c": "it is broken"},
        rows=2,  # none of them is c's
    )
    facts: dict[str, Any] = {"summary": "", "source": "", "licence": ""}
    card = CorpusCard(name="toy", load="toy:load", expects="toy:expects", **facts)
    plugins = Plugins(installed=False)
    plugins.corpora.add(card, "test")
    targets = {"toy:load": lambda *_: corpus, "toy:expects": expects}
    monkeypatch.setattr(CorpusCard, "resolve", lambda _, target: targets[target])

    reports = list(examine(["toy"], plugins, Settings(), False, Silent()))

    found = finding(reports, "counts")
    assert (found.severity, found.names) == (severity, names)
    left = finding(reports, "skipped")
    read = finding(reports, "reading").detail
    assert read.startswith("2 utterances of 2 rows in 2 classes")
    assert "of other labels" not in read
    assert (left.severity, left.names) == ("yellow", ("c: it is broken",))


def test_a_complete_iemocap_is_green_and_one_without_some_turns_is_red(
    tmp_path: Path, test_data: Path
) -> None:
    turns = dict(trees.iemocap_turns(test_data))
    lost = next(iter(turns))
    whole = trees.write_iemocap(tmp_path, turns)
    del turns[lost]
    partial = trees.write_iemocap(tmp_path / "partial", turns)

    (green,) = look("iemocap", iemocap=whole)
    (red,) = look("iemocap", iemocap=partial)

    assert green.severity == "green", green
    bad = [one for one in red.findings if one.severity == "red"]
    assert [one.check for one in bad] == ["counts"]
    assert len(bad[0].names) == 3  # of its class, its fold and its speaker


def write_demand(folder: Path, *names: str, rate: int = RATE) -> None:
    for seed, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        soundfile.write(folder / name / "ch01.wav", noise(31.0, seed, rate), rate)


def test_every_recording_of_demand_is_checked(tmp_path: Path) -> None:
    write_demand(tmp_path, "NPARK", "TCAR")
    write_demand(tmp_path, "SCAFE", rate=48_000)
    (tmp_path / "TCAR/ch01.wav").write_bytes(b"")

    reports = look("demand", deep=True, demand=tmp_path)

    assert reports[0].severity == "red"
    assert finding(reports, "recordings").detail == "missing: 15"
    assert "omeeting" in finding(reports, "recordings").names
    assert finding(reports, "files").detail == "cannot be used: 1"
    assert finding(reports, "rate").detail == "resampled from 48 kHz: 1"
    assert "length" not in {one.check for one in reports[0].findings}


def look_at_noise(name: str, path: Path) -> list[CorpusReport]:
    settings = Settings(noises={name: path}, environment={})
    return list(examine([name], Plugins(installed=False), settings, True, Silent()))


def test_every_file_of_a_noise_is_checked(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        soundfile.write(tmp_path / f"{name}.wav", noise(2.0), RATE)
    (tmp_path / "b.wav").write_bytes((tmp_path / "b.wav").read_bytes()[:9000])

    reports = look_at_noise("rain", tmp_path)

    assert finding(reports, "reading").detail == f"3 audio files: {tmp_path}"
    files = finding(reports, "files")
    assert files.severity == "red"
    assert files.names[0].startswith(f"{tmp_path}/b.wav is cut off")
    assert "exclude" not in finding(reports, "sound").names[0]


def test_a_noise_with_a_gap_is_yellow(tmp_path: Path) -> None:
    wave = noise(4.0)
    wave[RATE : 2 * RATE] *= 1e-5
    soundfile.write(tmp_path / "a.wav", wave, RATE)

    gaps = finding(look_at_noise("rain", tmp_path / "a.wav"), "gaps")

    assert gaps.severity == "yellow"
    assert gaps.names[0].startswith(f"{tmp_path}/a.wav (-")


def test_a_noise_that_is_not_there_is_red(tmp_path: Path) -> None:
    found = finding(look_at_noise("rain", tmp_path / "a.wav"), "reading")

    assert found.severity == "red"
    assert "is not a file" in found.detail


def test_without_names_the_noises_of_the_settings_are_checked(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(2.0), RATE)
    settings = Settings(noises={"rain": tmp_path / "a.wav"}, environment={})

    reports = examine([], Plugins(installed=False), settings, False, Silent())

    assert [(one.name, one.severity) for one in reports] == [("rain", "green")]


def test_an_empty_demand_is_red_and_the_message_says_how_to_get_it(
    tmp_path: Path,
) -> None:
    found = finding(look("demand", demand=tmp_path), "reading")

    assert found.severity == "red"
    assert "Zenodo record 1227121" in found.detail


def test_without_names_all_corpora_whose_folder_is_set_are_checked(
    tmp_path: Path,
) -> None:
    reports = look(casia=tmp_path, demand=tmp_path)

    assert [one.name for one in reports] == ["casia", "demand"]


def test_without_names_and_folders_an_error_says_what_to_do() -> None:
    with pytest.raises(NserbenchError, match="no corpus is named"):
        look()


def test_a_typo_is_reported_before_the_first_corpus_is_read() -> None:
    with pytest.raises(UnknownName, match="did you mean 'casia'"):
        look("iemocap", "cassia")


def write_mp4(file: Path, seconds: float) -> None:
    with av.open(file, "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("aac", rate=48_000, layout="5.1")
        for start in range(0, int(48_000 * seconds), 1024):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((6, 1024), np.float32), format="fltp", layout="5.1"
            )
            frame.rate, frame.pts = 48_000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_headers_of_video_hold_rate_channels_and_duration(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", 1.0)

    header = read_header(tmp_path / "a.mp4")

    assert (header.rate, header.channels) == (48_000, 6)
    assert header.seconds == pytest.approx(1.0, abs=2 * 1024 / 48_000)


def test_a_truncated_video_is_refused_by_its_header(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", 1.0)
    plain = tmp_path / "a.mp4"
    os.truncate(plain, plain.stat().st_size // 2)

    with pytest.raises(BadAudio, match="is cut off"):
        read_header(plain)
