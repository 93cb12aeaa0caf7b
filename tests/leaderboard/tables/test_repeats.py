"""Recordings that have two names count once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nserbench.leaderboard.reading.counts import Column
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Add = Callable[..., Path]
NOTE = (
    "mine is the same recordings as emodb: only emodb counts in ranks and in the means "
    "of the page"
)


def two_rows(
    add: Add, corpus: str, digests: dict[str, str], condition: str = "clean"
) -> None:
    """Write the results of two rows, of which mel is better."""
    for upstream, right in (("mel", "11111111"), ("whisper", "11110000")):
        add(upstream, "mean", condition, right, corpus=corpus, provenance=digests)


def table_of(root: Path) -> SummaryTable:
    return summary_table(root, ["uar"])


@pytest.mark.parametrize("digest", ["corpus", "recordings"])
def test_the_corpus_with_fewer_results_is_not_ranked(
    root: Path, add: Add, digest: str
) -> None:
    for condition in ("clean", "park@0"):
        two_rows(add, "emodb", {digest: "a"}, condition)
    two_rows(add, "mine", {digest: "a"})
    two_rows(add, "casia", {digest: "b"})

    table = table_of(root)

    assert table.ranks
    assert [str(column) for column in table.ranks.columns] == [
        "casia clean",
        "emodb clean",
        "emodb park@0",
    ]
    assert NOTE in table.notes
    assert table.repeats == {Column("mine", "clean", "probe v1"): "emodb"}


def test_corpora_of_other_recordings_are_all_ranked(root: Path, add: Add) -> None:
    two_rows(add, "emodb", {"corpus": "a", "recordings": "c"})
    two_rows(add, "mine", {"corpus": "b", "recordings": "d"})

    table = table_of(root)

    assert table.ranks
    assert table.ranks.corpora == 2
    assert not table.repeats


def test_results_that_do_not_say_their_recordings_are_all_ranked(
    root: Path, add: Add
) -> None:
    two_rows(add, "emodb", {})
    two_rows(add, "mine", {})

    assert not table_of(root).repeats
