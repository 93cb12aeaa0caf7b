import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from nserbench.errors import NserbenchError
from nserbench.leaderboard.published.comparison import (
    PublishedComparison,
    compare_with_published,
)
from nserbench.leaderboard.published.data import Published, read_published
from nserbench.leaderboard.published.render import (
    print_comparison,
    to_csv,
    to_json,
    to_markdown,
)
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.render import text as render
from nserbench.leaderboard.tables.summary import summary_table

Add = Callable[..., Path]
METRICS = ("uar", "f1_macro")

TOY = """\
title = "Toy"
citation = "Doe: A toy, 2020"
url = "https://example.org/toy"
differences = ["they sing"]

[protocol]
epochs = "50"
learning_rate = "1e-4"
standardise = "not said"

[[tables]]
name = "Table 1"
caption = "all of it"
metrics = ["uar", "f1_macro"]
columns = [
  { label = "Clean", ours = ["emodb clean"], protocol = { folds = "5" } },
  { label = "Park", ours = ["emodb park@0"] },
]

[[tables.rows]]
label = "Mel"
ours = ["mel x mean"]
values = [["97.10", "99.9"], ["60.0", "-"]]
note = "sung by heart"

[[tables.rows]]
label = "Whisper"
ours = ["whisper x last", "whisper x mean"]
values = [["99.00", "98.0"], ["-", "-"]]

[[tables.rows]]
label = "Secret"
values = [["100", "100.0"], ["99.00", "-"]]

[[tables]]
name = "Table 2"
metrics = ["uar"]
columns = [{ label = "Sea", ours = ["emodb sea@5"] }]
rows = [{ label = "Mel", ours = ["mel x mean"], values = [["50.00"]] }]
"""


@pytest.fixture
def toy(tmp_path: Path) -> Published:
    file = tmp_path / "toy.toml"
    file.write_text(TOY, encoding="utf-8")
    return read_published(str(file))


@pytest.fixture
def filled(root: Path, add: Add) -> Path:
    """Write a row that matches a published one, one that failed, and another one."""
    add("mel", "mean", "clean", "11111110")
    add("mel", "mean", "park@0", "11100101")
    add("whisper", "mean", "clean", None, status="failed", reason="out of memory")
    add("wavlm", "mean", "clean", "11111111")
    return root


def view(root: Path, published: Published) -> PublishedComparison:
    return compare_with_published(summary_table(root, METRICS), published)


def printed(
    view: PublishedComparison, width: int = 100, *, terminal: bool = False
) -> str:
    file = io.StringIO()
    print_comparison(view, Console(width=width, file=file, force_terminal=terminal))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


TERMINAL = """\
Toy, Table 1: all of it
                              Clean                Park
                              emodb                emodb
theirs   ours                 clean                park@0
──────────────────────────────────────────────────────────────────────
Mel      mel x mean      UAR  87.5 / 97.10 (-9.6)  62.5 / 60.0 (+2.5)
                         F1   86.7 / 99.9 (-13.2)  53.3 / -
Whisper  whisper x mean  UAR  failed / 99.00
                         F1   failed / 98.0
Secret   reported only   UAR  - / 100              - / 99.00
                         F1   - / 100.0

theirs: Doe: A toy, 2020, https://example.org/toy
each cell: ours / theirs (ours minus theirs), in percent
not shown, since we have no results for them: Table 2
their protocol: epochs 50, learning_rate 1e-4, standardise not said
learning_rate: theirs 1e-4
standardise: ours yes, theirs not said
emodb clean (probe v1): folds: theirs 5
theirs: they sing
sung by heart (Mel)
"""
MARKDOWN = """\
**Toy, Table 1: all of it**

| theirs | ours | metric | Clean emodb clean | Park emodb park@0 |
| --- | --- | --- | ---: | ---: |
| Mel | mel x mean | UAR | 87.5 / 97.10 (-9.6) | 62.5 / 60.0 (+2.5) |
| Mel | mel x mean | F1 | 86.7 / 99.9 (-13.2) | 53.3 / - |
| Whisper | whisper x mean | UAR | failed / 99.00 |  |
| Whisper | whisper x mean | F1 | failed / 98.0 |  |
| Secret | reported only | UAR | - / 100 | - / 99.00 |
| Secret | reported only | F1 | - / 100.0 |  |

- theirs: Doe: A toy, 2020, https://example.org/toy
"""
CSV = """\
reference,table,label,upstream,downstream,corpus,condition,protocol,metric,printed,status
toy,Table 1,Mel,mel,mean,emodb,clean,probe v1,uar,97.10,done
toy,Table 1,Mel,mel,mean,emodb,clean,probe v1,f1_macro,99.9,done
toy,Table 1,Mel,mel,mean,emodb,park@0,probe v1,uar,60.0,done
toy,Table 1,Mel,mel,mean,emodb,park@0,probe v1,f1_macro,,done
toy,Table 1,Whisper,whisper,mean,emodb,clean,probe v1,uar,99.00,failed
toy,Table 1,Whisper,whisper,mean,emodb,clean,probe v1,f1_macro,98.0,failed
toy,Table 1,Secret,,,emodb,clean,probe v1,uar,100,
toy,Table 1,Secret,,,emodb,clean,probe v1,f1_macro,100.0,
toy,Table 1,Secret,,,emodb,park@0,probe v1,uar,99.00,
toy,Table 2,Mel,mel,mean,emodb,sea@5,,uar,50.00,
"""


def test_the_comparison_with_published_numbers_on_a_terminal(
    filled: Path, toy: Published
) -> None:
    assert printed(view(filled, toy)) == TERMINAL


def test_the_comparison_with_published_numbers_in_markdown(
    filled: Path, toy: Published
) -> None:
    assert to_markdown(view(filled, toy)).startswith(MARKDOWN)


def test_csv_has_a_row_for_each_published_number(filled: Path, toy: Published) -> None:
    lines = to_csv(view(filled, toy)).splitlines()

    assert [",".join(line.split(",")[:11]) for line in lines] == CSV.splitlines()
    assert lines[0].endswith(",status,value,low,high,difference")


def test_all_forms_carry_the_same_numbers(filled: Path, toy: Published) -> None:
    found = view(filled, toy)

    rows = json.loads(to_json(found))["rows"]

    as_csv = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert as_csv == [
        {key: "" if value is None else str(value) for key, value in row.items()}
        for row in rows
    ]
    text = printed(found)
    for row in rows:
        if row["value"] is not None and row["printed"] is not None:
            ours, change = 100 * row["value"], 100 * row["difference"]
            shown = f"{ours:.1f} / {row['printed']} ({change:+.1f})"
            assert shown in text
            assert f"| {shown} |" in to_markdown(found)


def test_the_difference_is_computed_before_rounding(
    filled: Path, toy: Published
) -> None:
    scores = summary_table(filled, METRICS).entries

    pair = view(filled, toy).pairs[1]

    ours = scores[Row("mel", "mean"), Column("emodb", "clean", "probe v1")]
    assert pair.metric == "f1_macro"
    assert pair.difference == pytest.approx(ours.scores["f1_macro"].value - 0.999)


def test_published_numbers_are_never_ranked(filled: Path, toy: Published) -> None:
    table = summary_table(filled, METRICS)
    before = render.to_markdown(table)

    found = compare_with_published(table, toy)
    text = printed(found, terminal=True) + to_markdown(found)

    # Theirs is better everywhere in this column, and ours stays the best of it.
    assert before == render.to_markdown(table)
    assert "**100.0" in before
    assert found.ours is table
    assert all(row in {"mel", "whisper", "wavlm"} for row in map(_upstream, table.rows))
    for number in ("97.10", "99.9", "60.0", "87.5", "62.5", "100"):
        assert f"**{number}" not in text
        assert f"\x1b[1m{number}" not in text


def _upstream(row: Row) -> str:
    return row.upstream


def test_a_published_row_is_compared_with_every_matching_row_of_ours(
    root: Path, add: Add, toy: Published
) -> None:
    add("whisper", "last")
    add("whisper", "mean", right="11111110")

    found = [one for one in view(root, toy).pairs if one.printed_row.label == "Whisper"]

    met = {str(one.row): one.score and one.score.value for one in found}
    assert met == {"whisper x last": 1.0, "whisper x mean": pytest.approx(0.8667, 1e-3)}


def test_each_protocol_of_ours_has_a_column(
    root: Path, add: Add, toy: Published
) -> None:
    add("mel", protocol="paper")
    add("mel", protocol="probe+oracle", right="11111110")

    lines = printed(view(root, toy)).splitlines()

    headers = "\n".join(lines[1:6])
    assert headers.count("Clean") == 2
    assert "paper v1" in headers
    assert "probe+oracle v1" in headers
    assert "chosen on test" in headers


def test_what_differs_in_a_protocol_is_named_with_its_rows(
    root: Path, add: Add, toy: Published
) -> None:
    add("mel", epochs=50)
    add("whisper", epochs=5)
    add("wavlm", epochs=7)

    found = view(root, toy).differences

    assert found == {
        Column("emodb", "clean", "probe v1"): [
            "epochs: ours 5 (whisper x mean), theirs 50",
            "learning_rate: theirs 1e-4",
            "standardise: ours yes, theirs not said",
            "folds: theirs 5",
        ]
    }


def test_each_column_differs_by_its_own_protocol(
    root: Path, add: Add, toy: Published
) -> None:
    add("mel", epochs=5, protocol="paper")
    add("mel", epochs=7)
    add("mel", condition="park@0", epochs=50, corpus="demo")

    found = view(root, toy).differences

    assert {column.protocol: lines[0] for column, lines in found.items()} == {
        "paper v1": "epochs: ours 5, theirs 50",
        "probe v1": "epochs: ours 7, theirs 50",
    }


def test_numbers_are_compared_as_numbers(root: Path, add: Add, toy: Published) -> None:
    add(
        protocol_details={
            "name": "probe",
            "version": 1,
            "recipe": {"epochs": 50, "learning_rate": 0.0001, "standardise": False},
            "selection": "last epoch",
        }
    )

    (lines,) = view(root, toy).differences.values()

    assert lines == ["standardise: ours no, theirs not said", "folds: theirs 5"]


def test_columns_that_do_not_fit_are_in_a_table_below(
    filled: Path, toy: Published
) -> None:
    lines = printed(view(filled, toy), width=60).splitlines()

    assert [line.split() for line in lines if "emodb" in line][:2] == [["emodb"]] * 2
    assert sum(line.startswith("Mel ") for line in lines) == 2
    assert max(map(len, lines[:10])) <= 60


def test_two_tables_of_one_name_stay_apart(
    root: Path, add: Add, tmp_path: Path
) -> None:
    add("mel", condition="sea@5")
    add("mel")
    file = tmp_path / "twins.toml"
    file.write_text(TOY.replace('"Table 2"', '"Table 1"'), encoding="utf-8")

    text = printed(view(root, read_published(str(file))))

    titles = [line for line in text.splitlines() if line.startswith("Toy, ")]
    assert titles == ["Toy, Table 1: all of it", "Toy, Table 1"]


def test_a_note_says_if_no_result_matches_the_publication(
    root: Path, add: Add, toy: Published
) -> None:
    add(corpus="demo")

    assert printed(view(root, toy)) == (
        "theirs: Doe: A toy, 2020, https://example.org/toy\n"
        "none of our results can be compared with it; the CSV and JSON formats list "
        "all published numbers\n"
    )


def test_a_metric_that_is_not_printed_there_is_a_users_error(
    root: Path, add: Add, toy: Published
) -> None:
    add()

    with pytest.raises(NserbenchError, match="add --metric uar,f1_macro"):
        compare_with_published(summary_table(root, ["accuracy"]), toy)


def test_names_from_a_file_are_data_in_every_form(
    root: Path, add: Add, tmp_path: Path
) -> None:
    hostile = "[red]a|b[/red]*<b>"
    add()
    file = tmp_path / "hostile.toml"
    file.write_text(TOY.replace('label = "Mel"', f'label = "{hostile}"'), "utf-8")

    found = view(root, read_published(str(file)))

    assert hostile in printed(found, width=120)
    assert "| \\[red\\]a\\|b\\[/red\\]\\*&lt;b&gt; |" in to_markdown(found)


def test_the_papers_numbers_are_compared_with_ours(root: Path, add: Add) -> None:
    add("whisper", "ladapter", "park@0", corpus="iemocap")
    add("whisper-enc", "weighted-sum", "park@0", "11111110", corpus="iemocap")

    found = view(root, read_published("paper"))

    met = {
        (one.table.name, one.printed_row.label, one.theirs)
        for one in found.pairs
        if one.entry and one.metric == "uar"
    }
    assert met == {
        ("Table III", "ASR: Proposed", "73.00"),
        ("Table IV", "ALL: Proposed", "73.00"),
        ("Table IV", "Encoder: Weighted Sum", "70.56"),
        ("Table V, IEMOCAP - Environment (Park)", "ASR: Proposed", "73.00"),
        ("Table V, IEMOCAP - Environment (Park)", "ASR: Whisper-Enc", "70.56"),
        ("Table VI", "Speech: Proposed", "73.00"),
        ("Table VI", "Speech: Whisper-Enc", "70.56"),
    }
