import csv
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result

from nserbench.benchmark.extraction.export_audio import file_names

Command = Callable[..., Result]


def manifest(file: str) -> list[dict[str, str]]:
    with Path(file).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_condition_gets_a_folder_with_a_manifest(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(
        f"mix -c {notes} --noise clean --noise hiss --snr 0,-5 -o noisy --limit 4"
    )

    assert result.exit_code == 0, result.output
    files = result.stdout.splitlines()
    assert files == [
        f"noisy/manifest-path=notes/{condition}/manifest.csv"
        for condition in ("clean", "hiss@0", "hiss@-5")
    ]
    assert [len(manifest(file)) for file in files] == [4, 4, 4]


def test_the_manifest_says_how_each_file_was_made(
    nserbench: Command, notes: str
) -> None:
    nserbench("mix -c manifest-hiss:notes.csv --snr -5 -o noisy --limit 4")

    row = manifest("noisy/manifest-path=notes/hiss@-5/manifest.csv")[0]

    file = Path("noisy/manifest-path=notes/hiss@-5", row["path"])
    noise, _ = soundfile.read("hiss.wav", dtype="float32")
    speech, _ = soundfile.read(row["source"], dtype="float32")
    mixed, rate = soundfile.read(file, dtype="float32")
    start = int(row["offset"])
    part = noise[start : start + len(speech)]
    again = speech + float(row["gain"]) * (part - part.mean(dtype=np.float64))
    assert rate == 16_000
    assert mixed == pytest.approx(again, abs=1e-6)
    assert float(row["measured_snr"]) == pytest.approx(-5.0, abs=0.01)
    assert row["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (row["noise"], row["noise_file"]) == ("hiss", "hiss.wav")


def test_the_files_can_be_used_as_a_corpus(nserbench: Command, notes: str) -> None:
    nserbench("mix -c manifest-hiss:notes.csv -o noisy")

    result = nserbench(
        "run --dry-run -u mel -d mean "
        "-c manifest:noisy/manifest-path=notes/hiss@0/manifest.csv"
    )

    assert (
        result.stdout == "mel x mean x manifest:path=manifest clean (probe, seed 0)\n"
    )


def test_a_second_call_writes_the_same_bytes(nserbench: Command, notes: str) -> None:
    for folder in ("one", "two"):
        nserbench(f"mix -c manifest-hiss:notes.csv -o {folder} --limit 4")

    one, two = (
        {file.name: file.read_bytes() for file in Path(folder).rglob("*.wav")}
        for folder in ("one", "two")
    )

    assert len(one) == 4
    assert one == two


def test_the_protocol_decides_which_noise_is_added(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(
        "mix -c manifest-hiss:notes.csv -o noisy --protocol noise_split=disjoint"
    )

    assert result.exit_code == 0, result.output
    found = manifest("noisy/manifest-path=notes/hiss@0/manifest.csv")
    half = soundfile.info("hiss.wav").frames // 2
    assert {row["fold"] for row in found} == {"0", "1"}
    for row in found:
        assert (int(row["offset"]) >= half) is (row["fold"] == "1")


def test_names_of_files_are_short_never_hidden_and_all_different(
    nserbench: Command, notes: str
) -> None:
    ids = ["语料/今天天气很好" * 20, ".hidden", "../out", "plain 1"]
    with Path("notes.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row, name in zip(rows, ids, strict=False):
        row["id"] = name
    with Path("notes.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)

    result = nserbench("mix -c manifest-hiss:notes.csv -o noisy")

    assert result.exit_code == 0, result.output
    rows = manifest("noisy/manifest-path=notes/hiss@0/manifest.csv")
    names = {row["id"]: row["path"] for row in rows}
    files = {file.name for file in Path("noisy").rglob("*.wav")}
    assert files == set(names.values())
    assert all(len(name) < 105 and name.isascii() for name in files)
    assert not [name for name in files if name.startswith((".", "_"))]
    assert len(files) == len(rows)
    assert names["plain 1"] == "plain 1.wav"
    assert re.fullmatch(r"hidden-[0-9a-f]{12}\.wav", names[".hidden"])


def test_ids_that_differ_only_in_case_get_file_names_that_differ_in_more() -> None:
    names = file_names(["Anna", "anna", "bea"])

    assert len({name.casefold() for name in names.values()}) == 3
    assert names["bea"] == "bea"


def test_speech_of_an_odd_level_is_noted(nserbench: Command, notes: str) -> None:
    wave, rate = soundfile.read("s0_low_0.wav")
    soundfile.write("s0_low_0.wav", 2**15 * wave, rate, subtype="FLOAT")

    result = nserbench(f"mix -c {notes} --noise hiss --snr 0 -o noisy")

    assert result.exit_code == 0, result.output
    assert "peak above 8, where full scale is 1" in result.stderr
    assert "s0_low_0" in result.stderr
