import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from robustness_text import printed

from nserbench.benchmark.results.read_results import read_result
from nserbench.leaderboard.analysis.robustness_measures import (
    RobustnessTable,
)
from nserbench.leaderboard.reading.counts import Row
from nserbench.leaderboard.render.robustness_sheet import (
    robustness_csv,
    robustness_json,
    robustness_layout,
)
from nserbench.leaderboard.render.text import to_latex, to_markdown
from nserbench.leaderboard.tables.robustness import robustness_table

Add = Callable[..., Path]
MEL = Row("mel", "mean")


def test_the_table_for_a_terminal(two_noises: Path) -> None:
    lines = printed(robustness_table(two_noises, ["uar"]), width=75).splitlines()

    assert [re.split(r"  +", line.strip()) for line in lines[:3]] == [
        ["emodb", "emodb"],
        ["human†", "park†"],
        ["upstream", "head", "0, 5 dB", "0, 5 dB"],
    ]
    assert [line[:27].rstrip() for line in lines[4:8]] == [
        "mel       mean  UAR area",
        "                UAR/dB",
        "                UAR lost",
        "                worst class",
    ]


def test_the_best_is_marked_only_for_area_and_worst_class(two_noises: Path) -> None:
    text = to_markdown(robustness_layout(robustness_table(two_noises, ["uar"])))

    bold = {line.split("|")[3].strip() for line in text.splitlines() if "**" in line}
    assert bold == {"UAR area", "worst class"}


def test_the_measures_are_explained_below_the_table(two_noises: Path) -> None:
    text = printed(robustness_table(two_noises, ["uar"], reference=MEL))

    below = text.partition("\n\n")[2]
    for title in ("†", "area", "/dB", "CE", "rCE", "worst class"):
        assert f"\n{title}: " in below
    assert "in percent of the loss of mel x mean" in " ".join(below.split())
    assert "protocol probe v1 on emodb: epochs 50, standardise yes\n" in below


def in_json(table: RobustnessTable) -> Iterator[str]:
    """Return the numbers of one place after another, as tables write them."""
    for row in json.loads(robustness_json(table))["rows"]:
        digits = 2 if row["measure"] == "slope" else 1
        value, low, high = (
            "" if row[key] is None else f"{100 * row[key]:.{digits}f}"
            for key in ("value", "low", "high")
        )
        if row["measure"] == "worst":
            yield f"{value} {row['worst_class']}"
        elif row["measure"] != "loss":  # tables show what it is relative to
            yield f"{value} [{low}, {high}]" if low else f"{value} [-]"


def in_markdown(table: RobustnessTable) -> list[list[str]]:
    lines = (
        to_markdown(robustness_layout(table)).split("\n| chance")[0].splitlines()[2:]
    )
    cells = (line.strip("|").split("|")[3:] for line in lines)
    return [[cell.strip(" *") for cell in line] for line in cells]


def test_chance_and_pooled_folds_are_shown_as_in_the_leaderboard(
    root: Path, add: Add
) -> None:
    found = read_result(add()).predictions
    assert found
    labels = found.labels.tolist()
    owners = zip(found.speakers, labels, strict=True)
    apart = replace(
        found,
        folds=tuple(map(str, labels)),
        speakers=tuple(f"{speaker} {label}" for speaker, label in owners),
    )
    for snr in (0, 5):
        add(condition=f"park@{snr}", predictions=apart)

    table = robustness_table(root, ["uar"])

    area = json.loads(robustness_json(table))["rows"][0]
    assert (area["measure"], area["folds"], area["chance"]) == ("area", "pooled", 0.5)
    assert "park\N{DAGGER}\N{DOUBLE DAGGER}" in printed(table)
    assert "\nchance          UAR area     50.0" in printed(table)


def in_latex(table: RobustnessTable) -> Iterator[str]:
    text = to_latex(robustness_layout(table), intervals=True)
    body = text.partition("\\midrule\n")[2].partition("\\midrule")[0]
    bare = re.sub(r"\\(textbf|underline){([^}]*)}", r"\2", body.replace("{[}", "["))
    bare = re.sub(r"~{\\scriptsize ([^}]*)}", r" \1", bare).replace("$", "")
    for line in bare.splitlines():
        yield from line.removesuffix(r" \\").split(" & ")[2:]


def test_all_forms_carry_the_same_numbers(two_noises: Path) -> None:
    table = robustness_table(two_noises, ["uar"], reference=MEL)

    wanted = list(in_json(table))

    # As lines of a table: five for each of two rows, each over three columns.
    lines = np.reshape(wanted, (2, 3, 5)).transpose(0, 2, 1).reshape(10, 3).tolist()
    assert in_markdown(table) == lines
    assert list(in_latex(table)) == wanted
    number = r"-?[\d.]+ (?:\[[^]]*\]|neutral|anger)"
    in_terminal = [
        re.findall(number, line) for line in printed(table).splitlines()[4:14]
    ]
    assert in_terminal == lines
    as_csv = list(csv.DictReader(io.StringIO(robustness_csv(table))))
    assert as_csv == [
        {key: "" if value is None else str(value) for key, value in row.items()}
        | {"noises": " ".join(row["noises"]), "snrs": "0.0 5.0", "seeds": "0"}
        for row in json.loads(robustness_json(table))["rows"]
    ]


def test_json_says_what_was_compared_with_what(two_noises: Path) -> None:
    content = json.loads(
        robustness_json(robustness_table(two_noises, ["uar"], reference=MEL))
    )

    assert content["unit"] == "fraction of 1; slope per dB"
    assert content["reference"] == {"upstream": "mel", "downstream": "mean"}
    assert content["protocols"] == ["probe v1 on emodb: epochs 50, standardise yes"]
    assert content["notes"][0] == "seeds: 0"


def test_names_are_data_in_every_form(root: Path, add: Add) -> None:
    for snr in (0, 5):
        add(r"\input{x}<b>|", corpus="[bold]&", condition=f"[i]|@{snr}")
    table = robustness_table(root, ["uar"])

    markdown, latex = (to(robustness_layout(table)) for to in (to_markdown, to_latex))

    assert r"| \\input{x}&lt;b&gt;\| |" in markdown
    assert r"\textbackslash{}input\{x\}\textless{}b\textgreater{}\textbar{} &" in latex
    assert "[bold]&" in printed(table)
