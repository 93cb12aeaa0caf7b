"""Choosing rows and columns for a figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nserbench.errors import UnknownName
from nserbench.leaderboard.plots.choose_results import choose
from nserbench.leaderboard.tables.summary import summary_table

Add = Callable[..., Path]


def test_names_choose_rows_and_columns(grid: Path) -> None:
    table = summary_table(grid, ["uar"])

    chosen = choose(
        table,
        upstreams=["whisper-enc"],
        heads=["single:layer=2,mean"],
        noises=["clean"],
        corpora=["emodb"],
    )

    assert [str(row) for row in chosen.rows] == [
        "whisper-enc x mean",
        "whisper-enc x single:layer=2",
    ]
    assert [column.condition for column in chosen.columns] == ["clean"]


@pytest.mark.parametrize(
    "names",
    [{"noises": ["park@0"]}, {"corpora": ["emodb-park@0"]}],
)
def test_a_condition_is_named_as_the_tables_print_it(
    grid: Path, names: dict[str, list[str]]
) -> None:
    chosen = choose(summary_table(grid, ["uar"]), **names)

    assert {column.condition for column in chosen.columns} == {"park@0"}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("paper", ["paper v1", "paper v2"]),
        ("paper v2", ["paper v2"]),
        ("paper+oracle,probe", ["paper+oracle v1", "probe v1"]),
    ],
)
def test_a_protocol_stands_for_its_versions_and_for_none_of_its_variants(
    typed: str, kept: list[str], root: Path, add: Add
) -> None:
    add()
    add(protocol="paper")
    add(protocol="paper", version=2)
    add(protocol="paper+oracle")

    chosen = choose(summary_table(root, ["uar"]), protocols=[typed])

    assert [column.protocol for column in chosen.columns] == kept


def test_a_name_stands_for_all_that_have_its_options(root: Path, add: Add) -> None:
    add("whisper:checkpoint=a", "single:groups=encoder,layer=1")
    add("whisper:checkpoint=b", "single:groups=decoder,layer=1")
    add("whisper-enc", "single:layer=1")
    table = summary_table(root, ["uar"])

    assert len(choose(table, upstreams=["whisper"]).rows) == 2
    assert len(choose(table, upstreams=["whisper:checkpoint=b"]).rows) == 1
    assert len(choose(table, heads=["single:layer=1"]).rows) == 3
    assert len(choose(table, heads=["single:groups=encoder"]).rows) == 1


@pytest.mark.parametrize(
    "kind", ["upstreams", "heads", "corpora", "noises", "protocols"]
)
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(
    kind: str, grid: Path
) -> None:
    with pytest.raises(UnknownName, match=r"'mfcc'\n.*known: "):
        choose(summary_table(grid, ["uar"]), **{kind: ["mfcc"]})
