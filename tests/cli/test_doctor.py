import json
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from click.testing import Result

Command = Callable[..., Result]

GREEN = """\
manifest:path=notes: green
check      state   detail
reading    green   24 utterances of 24 rows in 2 classes
counts     green   no published counts to compare with
names      green   none is doubtful
skipped    green   none
folds      green   2 splits, no speaker in both training and test
overlap    green   of 24 test utterances, training has the speaker of 0; texts are \
not known
texts      green   the corpus has none; only text=reference and word errors need \
them
files      green   24 are there, and none is cut off
rate       green   all 16 kHz
channels   green   all mono
length     green   none under 50 ms or over 30 s
"""


def plain(table: str) -> str:
    """Remove the rule and the spaces at the ends of lines."""
    lines = [line.rstrip() for line in table.splitlines()]
    return "".join(f"{line}\n" for line in lines if line.strip("─"))


def test_the_table_prints_the_state_as_a_word(nserbench: Command, notes: str) -> None:
    answer = nserbench(f"doctor {notes}")

    assert plain(answer.stdout) == GREEN


def test_yellow_exits_with_0_and_red_with_1(nserbench: Command, notes: str) -> None:
    soundfile.write(next(Path().glob("s1*.wav")), [0.1] * 4000, 8000)
    yellow = nserbench(f"doctor {notes}")
    next(Path().glob("s0*.wav")).unlink()
    red = nserbench(f"doctor {notes}")

    assert (yellow.exit_code, red.exit_code) == (0, 1)
    assert "files      red      cannot be used: 1" in red.stdout


def test_some_names_are_printed_and_json_has_all(
    nserbench: Command, notes: str
) -> None:
    for file in Path().glob("s0*.wav"):
        file.unlink()

    table = nserbench(f"doctor {notes}").stdout
    rows = json.loads(nserbench(f"doctor {notes} --json").stdout)

    assert "and 1 more (--json has all)" in table
    (row,) = rows
    assert (row["name"], row["severity"]) == ("manifest:path=notes", "red")
    (files,) = [one for one in row["findings"] if one["check"] == "files"]
    assert (files["severity"], len(files["names"])) == ("red", 6)


def test_deep_adds_checks_of_the_decoded_audio(nserbench: Command, notes: str) -> None:
    checks = {
        one["check"]
        for one in json.loads(nserbench(f"doctor {notes} --deep --json").stdout)[0][
            "findings"
        ]
    }

    assert checks >= {"sound", "clipping", "copies across folds", "copies"}


def test_without_corpora_the_message_says_what_to_set(
    refused: Callable[[str], str],
) -> None:
    assert "under [paths] in nserbench.toml" in refused("doctor")


def test_nothing_is_written(nserbench: Command, notes: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}

    nserbench(f"doctor {notes} --deep")

    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


@pytest.mark.parametrize("name", ["emodbb", "emodb:class=all", "hisss", "hisss@5"])
def test_a_typo_gets_one_message(
    refused: Callable[[str], str], notes: str, name: str
) -> None:
    assert "did you mean" in refused(f"doctor {name}")


def test_a_noise_is_understood_also_with_an_snr(nserbench: Command, notes: str) -> None:
    (report,) = json.loads(nserbench("doctor hiss@5 --json").stdout)

    assert (report["name"], report["severity"]) == ("hiss", "green")
