"""What the page saves: the rows, columns and metric that are shown."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from latex import needs_pdflatex, typeset
from playwright.sync_api import Page

from nserbench.leaderboard.render.csv_json import to_csv
from nserbench.leaderboard.render.latex import escaped, to_latex
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Open = Callable[..., Page]


def saved(page: Page, form: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=f"as {form}").click()
    return download.value.path().read_text(encoding="utf-8")


def read(text: str) -> dict[tuple[str, ...], dict[str, str]]:
    names = ("upstream", "downstream", "corpus", "condition", "protocol")
    lines = csv.DictReader(io.StringIO(text))
    return {tuple(line[name] for name in names): line for line in lines}


@pytest.fixture(scope="module")
def table(shared_site: Path) -> SummaryTable:
    return summary_table(shared_site.with_name("results"), ["uar"])


def test_the_csv_has_the_fields_and_numbers_of_the_command(
    shared: Open, table: SummaryTable
) -> None:
    found = read(saved(shared(), "CSV"))

    wanted = read(to_csv(table))
    assert found.keys() == wanted.keys()
    for cell, line in wanted.items():
        means = found[cell].pop("mean")
        assert (means == "") == (cell[0] == "'=1_a")
        assert list(found[cell]) == list(line)
        for name, text in line.items():
            is_fraction = "." in text and name not in ("protocol", "seeds")
            same = pytest.approx(float(text), abs=1e-5) if is_fraction else text
            shown = found[cell][name]
            assert (float(shown) if is_fraction else shown) == same


def test_only_what_is_shown_is_saved_in_the_order_shown(shared: Open) -> None:
    page = shared(address="metric=f1_macro&condition=park%405&head=mean&sort=name")

    lines = read(saved(page, "CSV"))

    assert [line["metric"] for line in lines.values()] == ["f1_macro"] * 2
    assert [cell[:4] for cell in lines] == [
        ("whisper:language=de", "mean", "emodb", "park@5"),
        ("mel", "mean", "emodb", "park@5"),
    ]


def test_the_latex_has_the_cells_of_the_command(
    shared: Open, table: SummaryTable
) -> None:
    page = shared(address="sort=name&order=asc")

    text = saved(page, "LaTeX")

    wanted = to_latex(table)
    for row in table.rows:
        begin = f"{escaped(row.upstream)} & {escaped(row.downstream)} & "
        (line,) = (one for one in wanted.splitlines() if one.startswith(begin))
        (other,) = (one for one in text.splitlines() if one.startswith(begin))
        *scores, rank = line.removesuffix(r" \\").removeprefix(begin).split(" & ")
        first, _, *shown = other.removesuffix(r" \\").removeprefix(begin).split(" & ")
        assert (shown, first) == (scores, rank)
    for line in wanted.splitlines():
        if line.startswith(("%", r"\begin{table", "protocol", "chance:", "rank:")):
            assert line in text.splitlines()
    assert r"=1\_a" in text
    assert r"\begin{tabular}{llrrrr}" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


@needs_pdflatex
def test_latex_takes_what_the_page_saves(shared: Open, tmp_path: Path) -> None:
    typeset(saved(shared(), "LaTeX"), tmp_path)
