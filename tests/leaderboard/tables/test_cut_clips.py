"""What a table says of clips that some upstreams cut and others do not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nserbench.errors import BadResult
from nserbench.leaderboard.tables.summary import summary_table

Add = Callable[..., Path]


def cut_notes(root: Path) -> list[str]:
    return [line for line in summary_table(root, ["uar"]).notes if "cut" in line]


def test_rows_that_differ_in_cut_clips_are_named(root: Path, add: Add) -> None:
    add("whisper", notes={"cut": ["u1", "u2"], "cut_to": 30.0})
    add("wavlm", condition="park@0", notes={"cut": ["u1", "u2"], "cut_to": 30.0})
    add("mel", notes={"cut": [], "cut_to": None})

    (line,) = cut_notes(root)

    assert line == (
        "emodb: long clips differ between rows: none cut: mel x mean; "
        "2 clips cut to 30 s: wavlm x mean, whisper x mean"
    )


def test_rows_with_the_same_cut_clips_need_no_note(root: Path, add: Add) -> None:
    add("whisper", notes={"cut": ["u1"], "cut_to": 30.0})
    add("wavlm", notes={"cut": ["u1"], "cut_to": 30.0})

    assert cut_notes(root) == []


def test_older_results_do_not_say_to_which_length(root: Path, add: Add) -> None:
    add("whisper", notes={"cut": ["u1"]})
    add("mel")

    (line,) = cut_notes(root)

    assert "1 clip cut: whisper x mean" in line


@pytest.mark.parametrize("notes", [{"cut": 3}, {"cut": [], "cut_to": "long"}])
def test_malformed_notes_are_refused(
    root: Path, add: Add, notes: dict[str, object]
) -> None:
    add(notes=notes)

    with pytest.raises(BadResult, match=r"notes\.cut must be a list"):
        summary_table(root, ["uar"])
