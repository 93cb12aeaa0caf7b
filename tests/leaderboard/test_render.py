import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from nserbench.leaderboard.cells import Column, Row
from nserbench.leaderboard.render import print_table, to_csv, to_json, to_markdown
from nserbench.leaderboard.table import Entry, Score, SummaryTable, summary_table

Add = Callable[..., Path]
METRICS = ("uar", "f1_macro")


def printed(root: Path, width: int = 100, *, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(width=width, file=file, force_terminal=terminal)
    print_table(summary_table(root, METRICS), console)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@pytest.fixture
def filled(root: Path, add: Add) -> Path:
    """Give two rows in two conditions, with an empty place of each kind."""
    add("mel", "mean", "clean", "11111110")
    add("mel", "mean", "park@0", "11100101")
    add("mel", "last", "clean", None, status="not applicable", reason="one layer")
    add("mel", "last", "park@0", None, status="failed", reason="out of\n  memory")
    add("whisper", "last", "clean", "11111111")
    return root


TERMINAL = """\
                     emodb                 emodb
upstream  head       clean                 park@0
─────────────────────────────────────────────────────────────
mel       last  UAR  n/a                   failed
                F1   n/a                   failed
mel       mean  UAR  87.5 [75.0, 100.0]    62.5 [50.0, 75.0]
                F1   86.7 [66.7, 100.0]    53.3 [33.3, 73.3]
whisper   last  UAR  100.0 [100.0, 100.0]
                F1   100.0 [100.0, 100.0]

UAR and F1: mean of folds, percent; in brackets 95 %, bootstrap over speakers
protocol probe v1 on emodb: epochs 50, standardise yes
seeds: 0
n/a: mel x last (emodb clean): one layer
failed: mel x last (emodb park@0): out of memory
"""
NARROW = """\
                     emodb
upstream  head       clean
──────────────────────────────────────────
mel       last  UAR  n/a
                F1   n/a
mel       mean  UAR  87.5 [75.0, 100.0]
                F1   86.7 [66.7, 100.0]
whisper   last  UAR  100.0 [100.0, 100.0]
                F1   100.0 [100.0, 100.0]

                     emodb
upstream  head       park@0
───────────────────────────────────────
mel       last  UAR  failed
                F1   failed
mel       mean  UAR  62.5 [50.0, 75.0]
                F1   53.3 [33.3, 73.3]
whisper   last  UAR
                F1
"""
MARKDOWN = """\
| upstream | head | metric | emodb clean | emodb park@0 |
| --- | --- | --- | ---: | ---: |
| mel | last | UAR | n/a | failed |
| mel | last | F1 | n/a | failed |
| mel | mean | UAR | 87.5 [75.0, 100.0] | **62.5 [50.0, 75.0]** |
| mel | mean | F1 | 86.7 [66.7, 100.0] | **53.3 [33.3, 73.3]** |
| whisper | last | UAR | **100.0 [100.0, 100.0]** |  |
| whisper | last | F1 | **100.0 [100.0, 100.0]** |  |

- UAR and F1: mean of folds, percent; in brackets 95 %, bootstrap over speakers
- protocol probe v1 on emodb: epochs 50, standardise yes
- seeds: 0
- n/a: mel x last (emodb clean): one layer
- failed: mel x last (emodb park@0): out of memory
"""
CSV = """\
upstream,head,corpus,condition,protocol,metric,status,value,low,high,seeds,utterances
mel,last,emodb,clean,probe v1,uar,not applicable,,,,,0
mel,last,emodb,park@0,probe v1,uar,failed,,,,,0
mel,mean,emodb,clean,probe v1,uar,done,0.875,0.75,1.0,0,8
mel,mean,emodb,park@0,probe v1,uar,done,0.625,0.5,0.75,0,8
whisper,last,emodb,clean,probe v1,uar,done,1.0,1.0,1.0,0,8
"""


def test_the_table_for_a_terminal(filled: Path) -> None:
    assert printed(filled, width=88) == TERMINAL


def test_columns_that_do_not_fit_stand_below(filled: Path) -> None:
    assert printed(filled, width=60).partition("\nUAR")[0] == NARROW


def test_four_conditions_and_two_metrics_fit_in_100_columns(
    root: Path, add: Add
) -> None:
    for condition in ("clean", "human@0", "park@0", "traffic@0"):
        add("mel", "mean", condition, "11100101")
        add("mel", "bigru", condition, "01100101")

    lines = printed(root).splitlines()

    assert lines[0].split() == ["emodb"] * 4


def test_the_table_in_markdown(filled: Path) -> None:
    assert to_markdown(summary_table(filled, METRICS)) == MARKDOWN


def test_the_table_in_csv(filled: Path) -> None:
    assert to_csv(summary_table(filled, ["uar"])) == CSV


def test_all_forms_carry_the_same_numbers(root: Path, add: Add) -> None:
    for seed, right in enumerate(("11101010", "11001110")):
        for upstream in ("mel", "whisper"):
            add(upstream, right=right, seed=seed)
            add(upstream, condition="park@0", right=right[::-1], seed=seed)
    table = summary_table(root, METRICS)

    rows = json.loads(to_json(table))["rows"]

    as_csv = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert as_csv == [
        {key: str(value) for key, value in row.items()} | {"seeds": "0 1"}
        for row in rows
    ]
    percent = [
        "{value:.1f} [{low:.1f}, {high:.1f}]".format(
            **{key: 100 * row[key] for key in ("value", "low", "high")}
        )
        for row in rows
    ]
    # Four numbers for each upstream: a column's two metrics, then the next column's.
    by_line = [percent[at + step] for at in (0, 4) for step in (0, 2, 1, 3)]
    in_markdown = [
        cell.strip(" *")
        for line in to_markdown(table).splitlines()[2:6]
        for cell in line.split("|")[4:6]
    ]
    in_terminal = [
        f"{number}]"
        for line in printed(root).splitlines()[3:7]
        for number in line.split("UAR")[-1].split("F1")[-1].strip(" ]").split("]  ")
    ]
    assert in_markdown == by_line
    assert in_terminal == by_line


def test_json_holds_protocols_and_notes(filled: Path) -> None:
    content = json.loads(to_json(summary_table(filled, ["uar"])))

    assert content["unit"] == "fraction of 1"
    assert content["protocols"] == ["probe v1 on emodb: epochs 50, standardise yes"]
    assert content["notes"][0] == "seeds: 0"
    assert content["rows"][0]["value"] is None


def test_the_best_is_bold_on_a_terminal(filled: Path) -> None:
    text = printed(filled, terminal=True)

    assert "\x1b[1m62.5 [50.0, 75.0]\x1b[0m" in text
    assert "\x1b[1m100.0 [100.0, 100.0]\x1b[0m" in text
    assert text.count("\x1b[1m53.3") == 1
    assert "\x1b[1m87.5" not in text


def test_ties_are_all_bold(root: Path, add: Add) -> None:
    add("mel", right="11111110")
    add("wavlm", right="01111111")
    add("whisper", right="01101111")

    text = to_markdown(summary_table(root, ["uar"]))

    assert text.count("**87.5 [75.0, 100.0]**") == 2
    assert text.count("**") == 4


def test_ties_are_what_a_reader_cannot_tell_apart() -> None:
    column = Column("emodb", "clean", "probe")
    rows = [Row("mel", "last"), Row("mel", "mean"), Row("mel", "fc")]
    values = zip(rows, (0.87501, 0.87498, 0.87444), strict=True)
    entries = {
        (row, column): Entry("done", {"uar": Score(value, 0.5, 1.0)}, (0,), 8)
        for row, value in values
    }

    text = to_markdown(SummaryTable(rows, [column], ["uar"], entries, [], []))

    assert text.count("**87.5 [50.0, 100.0]**") == 2
    assert "| 87.4 [50.0, 100.0] |" in text


def test_protocols_split_a_column_and_stand_in_its_head(root: Path, add: Add) -> None:
    add("mel", protocol="paper")
    add("whisper")

    assert printed(root).splitlines()[:7] == [
        "                     emodb                 emodb",
        "                     clean                 clean",
        "upstream  head       paper v1              probe v1",
        "────────────────────────────────────────────────────────────────",
        "mel       mean  UAR  100.0 [100.0, 100.0]",
        "                F1   100.0 [100.0, 100.0]",
        "whisper   mean  UAR                        100.0 [100.0, 100.0]",
    ]


def test_one_speaker_is_shown_without_an_interval(root: Path, add: Add) -> None:
    add(speakers=("ann",) * 8)

    text = to_markdown(summary_table(root, ["uar"]))

    assert "| **100.0 [-]** |" in text
    assert "\n- [-]: one speaker, so no interval\n".replace("[-]", r"\[-\]") in text


def test_names_from_results_are_data_in_every_form(root: Path, add: Add) -> None:
    hostile = "[red]a|b[/red]*<b>`\x1b[2J\n# c"
    add(hostile, "[link=x]y", corpus="[bold]|", condition="[i]@0")
    add("mel", right=None, status="failed", reason=f"{hostile} [/nothing]")
    table = summary_table(root, METRICS)

    for_terminal, markdown = printed(root, width=200), to_markdown(table)

    shown = "[red]a|b[/red]*<b>`\N{REPLACEMENT CHARACTER}[2J"
    rows = [line.split() for line in for_terminal.splitlines()]
    assert [shown, "[link=x]y", "UAR"] in [row[:3] for row in rows]
    assert f"{shown} # c [/nothing]\n" in for_terminal
    assert rows[0] == ["[bold]|", "emodb"]
    assert "\x1b" not in for_terminal + markdown
    escaped = (
        "| \\[red\\]a\\|b\\[/red\\]\\*&lt;b&gt;\\`\N{REPLACEMENT CHARACTER}\\[2J # c |"
    )
    assert escaped in markdown
    assert markdown.splitlines()[0].endswith(
        "| \\[bold\\]\\| \\[i\\]@0 | emodb clean |"
    )
    assert next(csv.DictReader(io.StringIO(to_csv(table))))["upstream"] == hostile
    assert json.loads(to_json(table))["rows"][0]["upstream"] == hostile


def test_a_long_name_is_folded_not_cut(root: Path, add: Add) -> None:
    add("whisper:checkpoint=whisper-tiny.en")

    lines = printed(root).splitlines()

    assert lines[3].startswith("whisper:checkpoint=whisp  mean  UAR")
    assert lines[4].startswith("er-tiny.en                      F1")
