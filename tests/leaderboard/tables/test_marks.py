"""What is suspect or was seen in training is marked wherever numbers are shown."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.suspect_flags import MEANINGS, kind_of
from nserbench.errors import BadResult
from nserbench.leaderboard.page.index import index
from nserbench.leaderboard.render.csv_json import to_csv, to_json
from nserbench.leaderboard.render.latex import to_latex
from nserbench.leaderboard.render.text import print_table, to_markdown
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Add = Callable[..., Path]
DEAD = {"1": ["dead head: it answers anger to all 4 utterances"]}
HEART = {"all folds": ["learned by heart: it answers 99 % or more ..."]}


@pytest.fixture
def table(root: Path, add: Add) -> SummaryTable:
    add("mel", "bigru", "park@0", "10101010", notes={"flags": DEAD | HEART})
    add("mel", "mean", "park@0")
    return summary_table(root, ["uar", "accuracy"])


def text(table: SummaryTable) -> str:
    console = Console(file=io.StringIO(), width=120)
    print_table(table, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_suspect_number_is_marked_and_the_mark_explained(table: SummaryTable) -> None:
    shown = text(table)

    assert shown.count("50.0! [") == 2  # both metrics
    assert "100.0! " not in shown
    assert "!: the training of this head is suspect" in shown
    for flag in ("dead head", "learned by heart"):
        assert f"{flag}, {MEANINGS[flag]}: mel x bigru (emodb park@0)" in shown


def test_what_has_to_be_known_of_an_upstream_stands_below_once(
    root: Path, add: Add
) -> None:
    said = {"upstream_remark": "built from one line"}
    for condition in ("park@0", "clean"):
        add("mv-bissm", "last", condition, notes=said)
    add("mel", "mean", "park@0")

    notes = summary_table(root, ["uar"]).notes

    assert notes.count("mv-bissm x last: built from one line") == 1


def test_every_format_has_the_same_marks(table: SummaryTable) -> None:
    wanted = ["dead head", "learned by heart"]
    lines = {
        row["downstream"]: row for row in csv.DictReader(to_csv(table).splitlines())
    }
    objects = {row["downstream"]: row for row in json.loads(to_json(table))["rows"]}
    shown: Any = index(table, {}, Plugins(installed=False))["cells"]
    cells = {one["row"]: one["flags"] for one in shown}

    assert to_markdown(table).count("50.0!") == 2
    assert to_latex(table).count("50.0!") == 2
    assert [lines[head]["flags"] for head in ("bigru", "mean")] == [
        "dead-head learned-by-heart",
        "",
    ]
    assert [objects[head]["flags"] for head in ("bigru", "mean")] == [
        ["dead-head", "learned-by-heart"],
        [],
    ]
    assert [cells[place] for place in sorted(cells)] == [wanted, []]


def test_a_flag_of_any_seed_marks_their_mean(root: Path, add: Add) -> None:
    add(seed=0)
    add(seed=1, notes={"flags": DEAD})

    (entry,) = summary_table(root, ["uar"]).entries.values()

    assert list(entry.flags) == ["dead head"]


def test_an_unknown_flag_is_refused_with_its_folder(root: Path, add: Add) -> None:
    folder = add(notes={"flags": {"1": ["it looked at me"]}})

    with pytest.raises(BadResult, match=r"notes.flags: 'it looked at me'") as caught:
        summary_table(root, ["uar"])

    assert str(folder) in str(caught.value)


def test_the_kind_of_a_flag_is_before_its_colon() -> None:
    assert kind_of("input scale: the features of mel: far") == "input scale"


def trained_on(*corpora: str, **more: bool) -> dict[str, object]:
    note = {"corpora": corpora, "complete": True, "source": "its paper", **more}
    return {"trained_on": note}


@pytest.fixture
def seen(root: Path, add: Add) -> SummaryTable:
    add("wide", notes=trained_on("esd", "emodb"))
    add("web", notes=trained_on("esd", complete=False))
    add("read", notes=trained_on("librispeech"))
    add("half", notes=trained_on("librispeech", said=False))
    add("plain", notes={"trained_on": None})
    return summary_table(root, ["uar"])


def test_a_corpus_that_was_seen_in_training_is_marked_and_the_mark_explained(
    seen: SummaryTable,
) -> None:
    shown = text(seen)

    assert shown.count("100.0\N{SECTION SIGN} [") == 1
    assert "\N{SECTION SIGN}: the upstream was trained on this corpus" in shown
    assert "so that scores are too high: wide x mean (emodb)" in shown
    assert "not public, and may have had the corpus: web x mean (emodb)" in shown
    assert "training data are not stated, and may have had" in shown
    assert "the corpus: half x mean (emodb); plain x mean (emodb)" in shown


def test_every_format_says_whether_a_corpus_was_seen(seen: SummaryTable) -> None:
    wanted = {"wide": "yes", "web": "unknown", "read": "no"}
    wanted |= {"half": "not said", "plain": "not said"}
    rows = csv.DictReader(to_csv(seen).splitlines())
    objects = json.loads(to_json(seen))["rows"]

    assert {row["upstream"]: row["seen_in_training"] for row in rows} == wanted
    assert {row["upstream"]: row["seen_in_training"] for row in objects} == wanted
    assert to_markdown(seen).count("100.0\N{SECTION SIGN}") == 1
    assert to_latex(seen).count(r"100.0\S{}") == 1


def test_a_row_without_a_score_is_not_said_to_have_unknown_training_data(
    root: Path, add: Add
) -> None:
    silent: dict[str, object] = {"trained_on": None}
    add("broken", right=None, status="failed", reason="x", classes=(), notes=silent)

    shown = text(summary_table(root, ["uar"]))

    assert "training data" not in shown


def test_without_training_data_nothing_is_marked(table: SummaryTable) -> None:
    assert "trained" not in text(table)
