import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from nserbench.benchmark.results.intervals import Estimate
from nserbench.leaderboard.analysis.ranks import Ranks
from nserbench.leaderboard.analysis.statistics import Difference
from nserbench.leaderboard.reading.counts import Column, ProtocolSettings, Row
from nserbench.leaderboard.reading.protocol_use import ProtocolUse
from nserbench.leaderboard.render.csv_json import csv_text
from nserbench.leaderboard.render.text import (
    print_table,
    to_csv,
    to_json,
    to_latex,
    to_markdown,
)
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, SummaryTable

LAST, MEAN, WHISPER = Row("mel", "last"), Row("mel", "mean"), Row("whisper", "last")
CLEAN = Column("emodb", "clean", "probe v1")
PARK = Column("emodb", "park@0", "probe v1")
RANKS = Ranks(
    mean={WHISPER: Estimate(1.25, 1.0, 1.5), MEAN: Estimate(1.75, 1.5, 2.0)},
    columns=[Column("emodb", f"park@{snr}", "probe v1") for snr in range(4)],
    critical_difference=0.9,
    groups=[[WHISPER], [MEAN]],
)
PROTOCOL = ProtocolUse(
    "probe v1",
    ProtocolSettings((("epochs", "50"), ("standardise", "yes"))),
    [(MEAN, CLEAN)],
    alone=True,
)
FAILED = SummaryEntry("failed", {}, (), 0)


def scored(*values: float, units: int = 24, **changes: Any) -> SummaryEntry:
    """Make an entry of the UAR and, if there are two values, the F1."""
    scores = {
        metric: replace(Score(value, value - 0.1, value), **changes)
        for metric, value in zip(("uar", "f1_macro"), values, strict=False)
    }
    chance = dict.fromkeys(scores, 0.25)
    return SummaryEntry("done", scores, (0,), 535, units, chance=chance)


def made(
    entries: Mapping[tuple[Row, Column], SummaryEntry],
    notes: Sequence[str] = (),
    reference: Row | None = None,
    ranks: Ranks | None = None,
) -> SummaryTable:
    scores = [entry.scores for entry in entries.values() if entry.scores]
    return SummaryTable(
        rows=list(dict.fromkeys(row for row, _ in entries)),
        columns=list(dict.fromkeys(column for _, column in entries)),
        metrics=list(scores[0]),
        entries=entries,
        protocols=[PROTOCOL],
        notes=notes,
        reference=reference,
        ranks_by={} if ranks is None else {"uar": ranks},
    )


def printed(table: SummaryTable, width: int = 100, *, terminal: bool = False) -> str:
    file = io.StringIO()
    print_table(table, Console(width=width, file=file, force_terminal=terminal))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@pytest.fixture
def filled() -> SummaryTable:
    """Return three rows in two conditions, with an empty place of each kind."""
    return made(
        {
            (LAST, CLEAN): SummaryEntry("not applicable", {}, (), 0),
            (LAST, PARK): FAILED,
            (MEAN, CLEAN): scored(0.875, 0.866),
            (MEAN, PARK): scored(0.625, 0.533),
            (WHISPER, CLEAN): scored(1.0, 1.0),
        },
        notes=["seeds: 0", "failed: mel x last (emodb park@0): out of\n  memory"],
    )


@pytest.fixture
def marked() -> SummaryTable:
    """Return a table with a reference row, ties, ranks and few speakers."""
    lower = Difference(-0.125, -0.2, -0.0312, 0.0004)
    higher = Difference(0.02, -0.01, 0.05, 0.3)
    return made(
        {
            (LAST, CLEAN): scored(0.75, units=4, difference=lower),
            (MEAN, CLEAN): scored(0.875, units=4, tied=True),
            (WHISPER, CLEAN): scored(0.895, units=4, tied=True, difference=higher),
            (LAST, PARK): scored(0.5, difference=None),
        },
        reference=MEAN,
        ranks=RANKS,
    )


TERMINAL = """\
                     emodb                 emodb
upstream  head       clean                 park@0
─────────────────────────────────────────────────────────────
mel       last  UAR  n/a                   failed
                F1   n/a                   failed
mel       mean  UAR  87.5 [77.5, 87.5]     62.5 [52.5, 62.5]★
                F1   86.6 [76.6, 86.6]     53.3 [43.3, 53.3]★
whisper   last  UAR  100.0 [90.0, 100.0]★
                F1   100.0 [90.0, 100.0]★

chance          UAR  25.0                  25.0
                F1   25.0                  25.0

★: the best of its column
UAR and F1: mean of folds, in percent; 95 % interval in brackets, by bootstrap over
speakers
chance: chance level, if each class is guessed equally often
protocol probe v1 on emodb: epochs 50, standardise yes
seeds: 0
failed: mel x last (emodb park@0): out of memory
"""
NARROW = """\
                     emodb
upstream  head       clean
─────────────────────────────────────────
mel       last  UAR  n/a
                F1   n/a
mel       mean  UAR  87.5 [77.5, 87.5]
                F1   86.6 [76.6, 86.6]
whisper   last  UAR  100.0 [90.0, 100.0]★
                F1   100.0 [90.0, 100.0]★

chance          UAR  25.0
                F1   25.0

                     emodb
upstream  head       park@0
───────────────────────────────────────
mel       last  UAR  failed
                F1   failed
mel       mean  UAR  62.5 [52.5, 62.5]★
                F1   53.3 [43.3, 53.3]★
whisper   last  UAR
                F1

chance          UAR  25.0
                F1   25.0
"""
MARKDOWN = """\
| upstream | head | metric | emodb clean | emodb park@0 |
| --- | --- | --- | ---: | ---: |
| mel | last | UAR | n/a | failed |
| mel | last | F1 | n/a | failed |
| mel | mean | UAR | 87.5 [77.5, 87.5] | **62.5 [52.5, 62.5]** |
| mel | mean | F1 | 86.6 [76.6, 86.6] | **53.3 [43.3, 53.3]** |
| whisper | last | UAR | **100.0 [90.0, 100.0]** |  |
| whisper | last | F1 | **100.0 [90.0, 100.0]** |  |
| chance |  | UAR | 25.0 | 25.0 |
| chance |  | F1 | 25.0 | 25.0 |

- UAR and F1: mean of folds, in percent; 95 % interval in brackets, by bootstrap over \
speakers
- chance: chance level, if each class is guessed equally often
- protocol probe v1 on emodb: epochs 50, standardise yes
- seeds: 0
- failed: mel x last (emodb park@0): out of memory
"""
MARKED = """\
                      emodb                         emodb
upstream  head        clean†                        park@0              rank
──────────────────────────────────────────────────────────────────────────────────────
mel       last  UAR   75.0 [65.0, 75.0]             50.0 [40.0, 50.0]★
                ΔUAR  -12.5 [-20.0, -3.1] p <0.001  -
mel       mean  UAR   87.5 [77.5, 87.5]=                                1.8 [1.5, 2.0]
                ΔUAR  reference
whisper   last  UAR   89.5 [79.5, 89.5]★                                1.2 [1.0, 1.5]
                ΔUAR  +2.0 [-1.0, +5.0] p 0.30

chance          UAR   25.0                          25.0

★: the best of its column
UAR: mean of folds, in percent; 95 % interval in brackets, by bootstrap over speakers
=: not significantly below the best row (paired bootstrap test, Holm's correction over
the rows)
†: fewer than 10 speakers (or other units of independence), so intervals and tests are
only approximate
chance: chance level, if each class is guessed equally often
ΔUAR: difference from mel x mean, in percentage points; p from a paired bootstrap test,
with Holm's correction over the rows
Δ -: no comparison, since the row and the reference were tested on different utterances,
or on one speaker only
rank: mean rank by UAR over 4 columns of 1 corpus (probe v1), 1 is best; mean ranks that
differ by more than 0.9 are significantly different (5 %); not ranked: emodb clean
protocol probe v1 on emodb: epochs 50, standardise yes
"""
CSV = """\
upstream,downstream,corpus,condition,protocol,metric,status,value,low,high,folds,chance,\
seeds,utterances,units,tied,difference,difference_low,difference_high,p,rank,rank_low,\
rank_high,flags,seen_in_training
mel,last,emodb,clean,probe v1,uar,done,0.75,0.65,0.75,mean,0.25,0,535,4,False,\
-0.125,-0.2,-0.0312,0.0004,,,,,not said
mel,mean,emodb,clean,probe v1,uar,done,0.875,0.775,0.875,mean,0.25,0,535,4,True,\
,,,,1.75,1.5,2.0,,not said
whisper,last,emodb,clean,probe v1,uar,done,0.895,0.795,0.895,mean,0.25,0,535,4,True,\
0.02,-0.01,0.05,0.3,1.25,1.0,1.5,,not said
mel,last,emodb,park@0,probe v1,uar,done,0.5,0.4,0.5,mean,0.25,0,535,24,False,,,,,,,,,\
not said
"""


def test_the_table_for_a_terminal(filled: SummaryTable) -> None:
    assert printed(filled, width=88) == TERMINAL


def test_columns_that_do_not_fit_are_in_a_table_below(filled: SummaryTable) -> None:
    assert printed(filled, width=55).partition("\n★")[0] == NARROW


def test_four_conditions_and_two_metrics_fit_in_100_columns() -> None:
    columns = [replace(CLEAN, condition=f"park@{snr}") for snr in range(4)]
    rows = [Row("mel", "mean"), Row("mel", "bigru")]
    table = made(
        {
            (row, column): scored(value, value, tied=True, units=4)
            for row, value in zip(rows, (0.625, 0.875), strict=True)
            for column in columns
        },
        ranks=replace(
            RANKS, mean=dict.fromkeys(rows, Estimate(1.5, 1, 2)), groups=[rows]
        ),
    )

    lines = printed(table).splitlines()

    assert lines[0].split() == ["emodb"] * 4


def test_the_table_in_markdown(filled: SummaryTable) -> None:
    assert to_markdown(filled) == MARKDOWN


def test_the_table_in_csv(marked: SummaryTable) -> None:
    assert to_csv(marked) == CSV


@pytest.mark.parametrize(
    ("value", "written"),
    [("-5 dB", "'-5 dB"), ("=1+1", "'=1+1"), ([-5.0, 0.0], "-5.0 0.0"), ([], "")],
)
def test_a_text_that_a_spreadsheet_would_run_is_marked_and_a_list_of_numbers_is_not(
    value: object, written: str
) -> None:
    assert csv_text([{"a": "x", "b": value}]) == f"a,b\nx,{written}\n"


def test_marks_differences_and_ranks_are_explained_below_the_table(
    marked: SummaryTable,
) -> None:
    assert printed(marked, width=88) == MARKED


def test_a_mark_that_is_not_there_is_not_explained(filled: SummaryTable) -> None:
    text = to_markdown(filled)

    assert not re.search("[=†Δ]|rank", text)


def test_the_best_is_not_marked_as_tied_with_itself() -> None:
    alike = {(row, CLEAN): scored(0.875, tied=True) for row in (LAST, MEAN)}

    text = to_markdown(made(alike))

    assert text.count("| **87.5 [77.5, 87.5]** |") == 2
    assert "=" not in text


@pytest.mark.parametrize(("units", "mark"), [(9, "†"), (10, "")])
def test_fewer_than_ten_units_are_marked(units: int, mark: str) -> None:
    text = to_markdown(made({(MEAN, CLEAN): scored(0.875, units=units)}))

    assert text.splitlines()[0].endswith(f"| emodb clean{mark} |")


def test_a_note_says_where_no_two_ranks_differ_significantly(
    marked: SummaryTable,
) -> None:
    alike = replace(marked, ranks_by={"uar": replace(RANKS, groups=[[WHISPER, MEAN]])})

    text = " ".join(printed(alike).split())
    assert "no two rows differ significantly (5 %); not ranked: emodb clean" in text


# A number with its interval, and a p-value behind a difference.
NUMBER = re.compile(r"[+-]?[\d.]+ \[[^]]*\]=?(?: p <?[\d.]+)?|reference")


def in_json(table: SummaryTable) -> Iterator[str]:
    for row in json.loads(to_json(table))["rows"]:
        numbers = {key: 100 * row[key] for key in ("value", "low", "high")}
        yield "{value:.1f} [{low:.1f}, {high:.1f}]".format(**numbers)
        if row["difference"] is None:
            yield "reference"
        else:
            keys = ("difference", "difference_low", "difference_high")
            value, low, high = (100 * row[key] for key in keys)
            yield f"{value:+.1f} [{low:+.1f}, {high:+.1f}] p {row['p']:.2f}"


def in_latex(table: SummaryTable) -> Iterator[str]:
    text = to_latex(table, intervals=True)
    body = text.partition("\\midrule\n")[2].partition("\\midrule")[0]
    plain = re.sub(r"\\(textbf|underline){([^}]*)}", r"\2", body)
    plain = re.sub(r"~{\\scriptsize (.*?)}(?= |~|$)", r" \1", plain.replace("{[}", "["))
    for line in plain.replace("$", "").splitlines():
        yield from line.removesuffix(r" \\").split(" & ")[2:-1]


def in_markdown(table: SummaryTable) -> Iterator[list[str]]:
    for line in to_markdown(table).split("\n| chance")[0].splitlines()[2:]:
        yield [cell.strip(" *") for cell in line.strip("|").split("|")[3:6]]


def in_terminal(table: SummaryTable) -> Iterator[list[str]]:
    for line in printed(table, width=400).splitlines()[3:]:
        if found := NUMBER.findall(line):
            yield found[:3]


def test_all_forms_carry_the_same_numbers() -> None:
    random = np.random.default_rng(0)
    columns = [CLEAN, PARK, Column("casia", "clean", "paper v1")]
    rows = [LAST, MEAN, WHISPER]
    entries = {}
    for row in rows:
        for column in columns:
            scores = {}
            for metric in ("uar", "f1_macro"):
                value, low, high = random.uniform(0.3, 0.9, 3)
                change, lower, upper = random.uniform(-0.2, -0.1, 3)
                found = Difference(change, lower, upper, random.uniform(0.2, 1))
                scores[metric] = Score(
                    value, low, high, False, None if row == MEAN else found
                )
            chance = dict(zip(scores, random.uniform(0, 0.3, 2), strict=True))
            entries[row, column] = SummaryEntry(
                "done", scores, (0, 1), 535, 24, column == PARK, chance
            )
    mean = {
        row: Estimate(*np.sort(random.uniform(1, 3, 3))[[1, 0, 2]].tolist())
        for row in rows
    }
    table = made(entries, reference=MEAN, ranks=replace(RANKS, mean=mean))

    wanted = list(in_json(table))

    # As lines of a table: four for each row, each over all columns.
    lines = np.reshape(wanted, (3, 3, 4)).transpose(0, 2, 1).reshape(12, 3).tolist()
    assert list(in_markdown(table)) == lines
    assert list(in_terminal(table)) == lines
    assert list(in_latex(table)) == wanted
    as_csv = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert as_csv == [
        {key: "" if value is None else str(value) for key, value in row.items()}
        | {"seeds": "0 1", "flags": ""}
        for row in json.loads(to_json(table))["rows"]
    ]


def forms(table: SummaryTable) -> Iterator[str]:
    """Return the forms that people read, as plain text."""
    yield printed(table, width=400)
    yield to_markdown(table)
    text = to_latex(table, intervals=True).replace(r"~{\scriptsize {[}", " [")
    yield text.replace("]}", "]").replace(r"$\ddagger$", "\N{DOUBLE DAGGER}")


def test_all_forms_carry_the_same_ranks() -> None:
    random = np.random.default_rng(0)
    rows = [LAST, MEAN, WHISPER]
    mean = {row: Estimate(*random.uniform(1, 3, 3).tolist()) for row in rows}
    table = made(
        {(row, CLEAN): scored(0.5) for row in rows}, ranks=replace(RANKS, mean=mean)
    )

    for found in json.loads(to_json(table))["ranks"]["mean"]:
        wanted = "{rank:.1f} [{low:.1f}, {high:.1f}]".format(**found)
        assert all(text.count(wanted) == 1 for text in forms(table))
        for row in json.loads(to_json(table))["rows"]:
            if (
                row["upstream"] == found["upstream"]
                and row["downstream"] == found["downstream"]
            ):
                assert row["rank"] == found["rank"]
                assert (row["rank_low"], row["rank_high"]) == (
                    found["low"],
                    found["high"],
                )


def test_all_forms_carry_the_same_chance_and_the_same_mark_of_pooled_folds() -> None:
    entries = {
        (MEAN, CLEAN): replace(scored(0.7, 0.6), chance={"uar": 0.25, "f1_macro": 0.2}),
        (MEAN, PARK): replace(
            scored(0.5, 0.4), pooled=True, chance={"uar": 0.33, "f1_macro": 0.31}
        ),
    }
    table = made(entries)

    rows = json.loads(to_json(table))["rows"]

    chances = [f"{100 * row['chance']:.1f}" for row in rows]
    assert chances == ["25.0", "20.0", "33.0", "31.0"]
    assert [row["folds"] for row in rows] == ["mean", "mean", "pooled", "pooled"]
    terminal, markdown, latex = forms(table)
    for text in (terminal, markdown, latex):
        assert "park@0\N{DOUBLE DAGGER}" in text
        assert "clean\N{DOUBLE DAGGER}" not in text
        assert "\N{DOUBLE DAGGER}: computed over all folds together (pooled)" in text
    assert "chance          UAR  25.0                33.0\n" in terminal
    assert "                F1   20.0                31.0\n" in terminal
    assert "| chance |  | UAR | 25.0 | 33.0 |\n" in markdown
    assert "| chance |  | F1 | 20.0 | 31.0 |\n" in markdown
    assert "chance &  & 25.0 & 20.0 & 33.0 & 31.0 " in latex


def test_where_all_folds_are_pooled_the_caption_says_so() -> None:
    table = made({(MEAN, CLEAN): replace(scored(0.5), pooled=True)})

    assert "UAR: all folds together, in percent" in to_markdown(table)


def test_the_chance_level_is_that_of_most_rows() -> None:
    entries = {
        (row, CLEAN): replace(scored(0.5), chance={"uar": chance})
        for row, chance in ((LAST, 0.3), (MEAN, 0.25), (WHISPER, 0.25))
    }

    assert made(entries).chance(CLEAN, "uar") == 0.25


def test_json_has_the_notes_below_the_table(marked: SummaryTable) -> None:
    content = json.loads(to_json(replace(marked, notes=["seeds: 0"])))

    mean = {"upstream": "mel", "downstream": "mean"}
    whisper = {"upstream": "whisper", "downstream": "last"}
    assert content["unit"] == "fraction of 1"
    assert content["protocols"] == [str(PROTOCOL)]
    assert content["notes"] == ["seeds: 0"]
    assert content["reference"] == mean
    assert content["ranks"] == {
        "protocol": "probe v1",
        "columns": 4,
        "corpora": 1,
        "critical_difference": 0.9,
        "mean": [
            {**whisper, "rank": 1.25, "low": 1.0, "high": 1.5},
            {**mean, "rank": 1.75, "low": 1.5, "high": 2.0},
        ],
        "not_told_apart": [[whisper], [mean]],
    }


def test_what_is_not_done_has_no_numbers_in_json(filled: SummaryTable) -> None:
    content = json.loads(to_json(filled))

    assert content["reference"] is content["ranks"] is None
    assert content["rows"][0]["status"] == "not applicable"
    assert content["rows"][0]["value"] is None


def test_the_best_is_bold_on_a_terminal(filled: SummaryTable) -> None:
    text = printed(filled, terminal=True)

    assert "\x1b[1m62.5 [52.5, 62.5]\x1b[0m" in text
    assert "\x1b[1m100.0 [90.0, 100.0]\x1b[0m" in text
    assert text.count("\x1b[1m53.3") == 1
    assert "\x1b[1m87.5" not in text
    assert "★" not in text


def test_numbers_with_equal_digits_are_equally_good() -> None:
    values = {LAST: 0.87501, MEAN: 0.87498, WHISPER: 0.87444}

    text = to_markdown(
        made({(row, CLEAN): scored(value) for row, value in values.items()})
    )

    assert text.count("**87.5 [77.5, 87.5]**") == 2
    assert "| 87.4 [77.4, 87.4] |" in text


def test_protocols_split_a_column_and_are_in_its_header() -> None:
    paper = replace(CLEAN, protocol="paper v1")

    text = printed(made({(MEAN, paper): scored(0.5), (WHISPER, CLEAN): scored(0.6)}))

    assert text.splitlines()[:3] == [
        "                     emodb               emodb",
        "                     clean               clean",
        "upstream  head       paper v1            probe v1",
    ]


def test_a_note_says_that_intervals_include_several_seeds() -> None:
    entry = replace(scored(0.5), seeds=(0, 1))

    text = " ".join(printed(made({(MEAN, CLEAN): entry})).split())

    assert "bootstrap over speakers, including the variance over seeds " in text


def test_one_speaker_is_shown_without_an_interval() -> None:
    text = to_markdown(made({(MEAN, CLEAN): scored(0.5, units=1, low=None, high=None)}))

    assert "| **50.0 [-]** |" in text
    assert "\n- \\[-\\]: no interval and no test: only one speaker\n" in text
    assert "†" not in text


def test_names_from_results_are_data_in_every_form() -> None:
    hostile = "[red]a|b[/red]*<b>`\x1b[2J\n# c"
    row, place = Row(hostile, "[link=x]y"), Column("[bold]|", "[i]@0", "probe v1")
    table = made(
        {(row, place): scored(0.5), (MEAN, CLEAN): scored(0.5)},
        notes=[f"{hostile} [/nothing]"],
        reference=row,
    )

    for_terminal, markdown = printed(table, width=200), to_markdown(table)

    shown = "[red]a|b[/red]*<b>`\N{REPLACEMENT CHARACTER}[2J"
    rows = [line.split() for line in for_terminal.splitlines()]
    assert [shown, "[link=x]y", "UAR"] in [row[:3] for row in rows]
    assert f"{shown} # c [/nothing]\n" in for_terminal
    assert f"difference from {shown} # c x [link=x]y, in percentage" in for_terminal
    assert rows[0] == ["[bold]|", "emodb"]
    assert "\x1b" not in for_terminal + markdown
    escaped = (
        "| \\[red\\]a\\|b\\[/red\\]\\*&lt;b&gt;\\`\N{REPLACEMENT CHARACTER}\\[2J # c |"
    )
    assert escaped in markdown
    assert markdown.splitlines()[0].endswith(
        "| \\[bold\\]\\| \\[i\\]@0 | emodb clean |"
    )
    record = next(csv.DictReader(io.StringIO(to_csv(table))))
    assert record["upstream"] == f"{shown} # c"
    assert json.loads(to_json(table))["rows"][0]["upstream"] == hostile


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_csv_file_holds_no_formula(start: str) -> None:
    table = made({(Row(f"{start}1+1", "mean"), CLEAN): scored(0.5)})

    record = next(csv.DictReader(io.StringIO(to_csv(table))))

    assert record["upstream"] == f"'{start}1+1"
    assert record["value"] == "0.5"


def test_a_long_name_is_folded_not_cut() -> None:
    row = Row("whisper:checkpoint=whisper-tiny.en", "mean")

    lines = printed(made({(row, CLEAN): scored(0.5, 0.5)})).splitlines()

    assert lines[3].startswith("whisper:checkpoint=whisp  mean  UAR")
    assert lines[4].startswith("er-tiny.en                      F1")
