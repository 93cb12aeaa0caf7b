import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from notes import write_corpus

Command = Callable[..., Result]

STATS = """\
manifest:path=notes: 24 utterances, 6 s, clips of 0.25 to 0.25 s
classes by fold
fold   high   low   all
0      6      6     12
1      6      6     12
all    12     12    24
classes by speaker
speaker   high   low   all
s0        3      3     6
s1        3      3     6
s2        3      3     6
s3        3      3     6
durations
duration      utterances
under 0.5 s   24           ########################################
"""


def plain(text: str) -> str:
    """Remove rules, empty lines and the spaces at the ends of lines."""
    lines = [line.rstrip() for line in text.splitlines()]
    return "".join(f"{line}\n" for line in lines if line.strip("─"))


def test_the_tables_count_by_fold_and_speaker(nserbench: Command, notes: str) -> None:
    answer = nserbench(f"corpus stats {notes} --fast")

    assert plain(answer.stdout) == STATS


def test_speaker_2_comes_before_speaker_10(nserbench: Command, notes: str) -> None:
    write_corpus(Path(), speakers=11, takes=1)

    (row,) = json.loads(nserbench(f"corpus stats {notes} --fast --json").stdout)

    assert list(row["speakers"]) == [f"s{number}" for number in range(11)]


def test_json_has_the_same_counts_and_the_snr(nserbench: Command, notes: str) -> None:
    (row,) = json.loads(nserbench(f"corpus stats {notes} --json").stdout)

    assert row["classes"] == {"high": 12, "low": 12}
    assert row["folds"] == {fold: {"high": 6, "low": 6} for fold in "01"}
    assert row["speakers"]["s3"] == {"high": 3, "low": 3}
    assert row["seconds"] == pytest.approx(24 * 0.25)
    assert row["lengths"] == {"under 0.5 s": 24}
    assert len(row["snr"]) == 3
    assert row["snr"] == sorted(row["snr"])


def test_fast_estimates_no_snr(nserbench: Command, notes: str) -> None:
    (row,) = json.loads(nserbench(f"corpus stats {notes} --fast --json").stdout)

    assert row["snr"] is None


def test_several_corpora_are_drawn_in_one_figure(
    nserbench: Command, notes: str, test_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSERBENCH_EMODB", str(test_data / "corpus/emodb"))

    answer = nserbench(f"corpus stats {notes} emodb --fast --figure fig2.svg")

    assert answer.exit_code == 0, answer.output
    assert "emodb: 339 utterances, 16 min, clips of 1.43 to 8.98 s" in answer.stdout
    drawn = Path("fig2.svg").read_text()
    assert ">emodb<" in drawn
    assert ">127<" in drawn


def test_an_unknown_format_is_refused_before_anything_is_read(
    refused: Callable[[str], str],
) -> None:
    told = refused("corpus stats emodb --figure fig2.doc")

    assert told.startswith("a figure cannot be written to 'fig2.doc'")


def test_a_broken_file_is_named(nserbench: Command, notes: str) -> None:
    Path("s0_low_0.wav").write_bytes(b"")

    answer = nserbench(f"corpus stats {notes}")

    assert answer.exit_code == 1
    assert "s0_low_0.wav is empty" in answer.stderr
    assert "nserbench doctor" in answer.stderr
