import re
from pathlib import Path

import pytest
from latex import needs_pdflatex, typeset

from nserbench.leaderboard.analysis.statistics import Difference
from nserbench.leaderboard.reading.counts import Column, ProtocolSettings, Row
from nserbench.leaderboard.reading.protocol_use import ProtocolUse
from nserbench.leaderboard.render.latex import OTHER_SCRIPTS, escaped, to_latex
from nserbench.leaderboard.render.layout import TableCell, TableLayout
from nserbench.leaderboard.tables.summary import Score, SummaryEntry, SummaryTable

MEL, WHISPER = Row("mel", "mean"), Row("whisper", "last")
CLEAN = Column("emodb", "clean", "probe_1")
PARK = Column("emodb", "park@-5", "probe_1")
CASIA = Column("casia", "clean", "probe_1")

HOSTILE = (
    r"\input{/etc/passwd}",
    r"}\end{tabular}\end{table}",
    r"^^5cinput{x}",
    "[2cm]",
    "*",
    "% gone",
    "a & b \\\\ $x_1^2$ # ~ -- `` <|>",
    "\x1b[31m\nsecond line",
)
SIGNS = "æ \N{EN DASH} → “x” „y“ € ≤ ≥ ≈ \N{MINUS SIGN}5 ★†‡§"
PROTOCOL = ProtocolUse(
    "probe_1", ProtocolSettings((("epochs", "50"),)), [(MEL, CLEAN)], alone=True
)


def scored(*values: float, units: int = 24, tied: bool = False) -> SummaryEntry:
    scores = {
        metric: Score(value, value - 0.1, value, tied)
        for metric, value in zip(("uar", "f1_macro"), values, strict=False)
    }
    return SummaryEntry("done", scores, (0,), 535, units)


def table(entries: dict[tuple[Row, Column], SummaryEntry], *notes: str) -> SummaryTable:
    return SummaryTable(
        rows=list(dict.fromkeys(row for row, _ in entries)),
        columns=list(dict.fromkeys(column for _, column in entries)),
        metrics=list(next(iter(entries.values())).scores),
        entries=entries,
        protocols=[PROTOCOL],
        notes=notes,
    )


@pytest.fixture
def filled() -> SummaryTable:
    return table(
        {
            (MEL, CLEAN): scored(0.875, 0.866),
            (MEL, PARK): scored(0.625, 0.533, tied=True),
            (WHISPER, CLEAN): scored(1.0, 1.0),
            (WHISPER, PARK): scored(0.65, 0.64, tied=True),
            (MEL, CASIA): SummaryEntry("failed", {}, (), 0),
        }
    )


LATEX = r"""% needs \usepackage{booktabs,graphicx}
\begin{table}
\centering
\caption{UAR and F1: mean of folds, in percent. Best in bold, second underlined.}
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
\begin{tabular}{llrrrrrr}
\toprule
 &  & \multicolumn{4}{c}{emodb} & \multicolumn{2}{c}{casia} \\
\cmidrule(lr){3-6} \cmidrule(lr){7-8}
 &  & \multicolumn{2}{c}{clean} & \multicolumn{2}{c}{park@$-$5} &"""
LATEX += r""" \multicolumn{2}{c}{clean} \\
\cmidrule(lr){3-4} \cmidrule(lr){5-6} \cmidrule(lr){7-8}
upstream & head & \multicolumn{1}{c}{UAR} & \multicolumn{1}{c}{F1} &"""
LATEX += r""" \multicolumn{1}{c}{UAR} & \multicolumn{1}{c}{F1} &"""
LATEX += r""" \multicolumn{1}{c}{UAR} & \multicolumn{1}{c}{F1} \\
\midrule
mel & mean & \underline{87.5} & \underline{86.6} &"""
LATEX += r""" \underline{62.5}\rlap{$^{=}$} & \underline{53.3}\rlap{$^{=}$} &"""
LATEX += r""" failed & failed \\
whisper & last & \textbf{100.0} & \textbf{100.0} & \textbf{65.0} & \textbf{64.0} &"""
LATEX += r"""  &  \\
\bottomrule
\end{tabular}}
\par\smallskip
\begin{minipage}{\linewidth}\footnotesize\raggedright
=: not significantly below the best row (paired bootstrap test, Holm's correction"""
LATEX += r""" over the rows)\par
protocol probe\_1 on emodb: epochs 50\par
\end{minipage}
\end{table}
"""


def parts(line: str) -> list[str]:
    r"""Split a row at what separates cells, which \& does not."""
    return re.split(r"(?<!\\)&", line)


def check_structure(text: str) -> None:
    r"""Refuse braces or environments that do not pair, and rows of another width.

    Only commands that the writer uses may stand in it.
    """
    bare = re.sub(r"\\[\\{}$&#_%]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert "^" not in text.replace("$^{=}$", "")
    stack = []
    for kind, name in re.findall(r"\\(begin|end){([a-z*]+)}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    spec = re.search(r"\\begin{tabular}{([lr]+)}", text)
    assert spec
    body = text.partition("\\toprule\n")[2].partition("\\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    for row in rows:
        spans = [re.search(r"\\multicolumn{(\d+)}", cell) for cell in parts(row)]
        assert sum(int(one[1]) if one else 1 for one in spans) == len(spec[1])
        # Right behind the end of a row these would be read as its argument.
        assert not row.lstrip().startswith(("[", "*"))
    known = (
        r"usepackage|begin|end|centering|small|setlength|tabcolsep|caption|toprule|"
        r"midrule|bottomrule|multicolumn|cmidrule|textbf|underline|scriptsize|par|"
        r"smallskip|linewidth|footnotesize|raggedright|rlap|dagger|Delta|text[a-z]+|"
        r"resizebox|ifdim|width|else|fi"
    )
    assert {
        name
        for name in re.findall(r"\\([A-Za-z]+)", text)
        if not re.fullmatch(known, name)
    } == set()


def test_the_table_in_latex(filled: SummaryTable) -> None:
    assert to_latex(filled) == LATEX
    check_structure(LATEX)


def test_a_single_metric_is_only_in_the_caption() -> None:
    text = to_latex(table({(MEL, CLEAN): scored(0.5)}))

    check_structure(text)
    assert r"\caption{UAR: mean of folds, in percent." in text
    assert r"upstream & head & \multicolumn{1}{c}{clean} \\" in text


def test_intervals_follow_the_numbers_on_request(filled: SummaryTable) -> None:
    text = to_latex(filled, intervals=True)

    check_structure(text)
    assert r"\underline{87.5}~{\scriptsize {[}77.5, 87.5]}" in text
    assert (
        "95 \\% interval in brackets, by bootstrap over speakers. Best in bold" in text
    )
    assert r"{[}" not in to_latex(filled)


def test_few_speakers_are_marked_above_the_numbers() -> None:
    text = to_latex(table({(MEL, CLEAN): scored(0.5, units=4)}))

    assert r"\multicolumn{1}{c}{clean$\dagger$}" in text
    assert "$\\dagger$: fewer than 10 speakers" in text


def test_differences_have_columns_of_their_own() -> None:
    found = Difference(-0.05, -0.1, -0.01, 0.02)
    entries = {
        (MEL, CLEAN): SummaryEntry("done", {"uar": Score(0.5, 0.4, 0.6)}, (0,), 9, 24),
        (WHISPER, CLEAN): SummaryEntry(
            "done", {"uar": Score(0.45, 0.4, 0.6, False, found)}, (0,), 9, 24
        ),
    }
    plain = table(entries)
    compared = SummaryTable(
        plain.rows, plain.columns, ["uar"], entries, [], [], reference=MEL
    )

    text = to_latex(compared)

    check_structure(text)
    assert r"\multicolumn{1}{c}{UAR} & \multicolumn{1}{c}{$\Delta$UAR} \\" in text
    assert r"mel & mean & \textbf{50.0} & reference \\" in text
    assert r"\underline{45.0} & $-$5.0~{\scriptsize p 0.020} \\" in text


@pytest.mark.parametrize(
    ("conditions", "intervals", "kind"),
    [(4, False, "table"), (12, False, "table*"), (4, True, "table*")],
)
def test_a_wide_table_spans_the_page(
    conditions: int, intervals: bool, kind: str
) -> None:
    columns = [Column("emodb", f"park@{snr}", "probe_1") for snr in range(conditions)]

    text = to_latex(
        table({(MEL, column): scored(0.5) for column in columns}), intervals=intervals
    )

    check_structure(text)
    assert text.splitlines()[1] == rf"\begin{{{kind}}}"
    assert (r"\small\setlength" in text) == (kind == "table*")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_no_command(name: str) -> None:
    row, column = Row(name, name), Column(name, name, name)
    hostile = table({(row, column): scored(0.5), (MEL, CLEAN): scored(0.4)}, name)

    text = to_latex(hostile)

    check_structure(text)
    assert text.count(escaped(name)) == 5


def test_two_hyphens_are_no_dash() -> None:
    assert escaped("a--b---c") == "a-{}-b-{}--c"


def test_a_word_behind_a_number_is_no_command() -> None:
    cell = TableCell("1.0", word=HOSTILE[0])
    sheet = TableLayout([MEL], [["emodb"]], ["x"], [[[cell]]], [], "x", [], [])

    text = to_latex(sheet)

    check_structure(text)
    assert r"1.0~{\scriptsize \textbackslash{}input\{/etc/passwd\}}" in text


@pytest.mark.parametrize(
    ("name", "other"), [(SIGNS, False), ("\N{GREEK SMALL LETTER ALPHA}", True)]
)
def test_letters_that_pdflatex_lacks_are_told_in_the_first_lines(
    name: str, other: bool
) -> None:
    lines = to_latex(table({(Row(name, "mean"), CLEAN): scored(0.5)})).splitlines()

    assert (OTHER_SCRIPTS in lines[:2]) == other


@needs_pdflatex
def test_latex_takes_every_table(filled: SummaryTable, tmp_path: Path) -> None:
    names = (*HOSTILE, SIGNS)
    rows = {(Row(name, name), CLEAN): scored(0.5, tied=True) for name in names}
    hostile = table({(MEL, CLEAN): scored(0.6, units=4), **rows}, *names)
    columns = [Column("emodb", f"park@{snr}", "probe_1") for snr in range(25)]
    wide = table({(MEL, column): scored(0.5) for column in columns})

    tables = [filled, hostile, wide]

    texts = map(to_latex, tables)
    typeset("".join([*texts, to_latex(filled, intervals=True)]), tmp_path)
