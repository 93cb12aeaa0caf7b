from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nserbench.benchmark.metrics import (
    accuracy,
    answers_by,
    mean_of_folds,
    resample,
    uar,
)
from nserbench.benchmark.results import read_result
from nserbench.errors import UnknownName
from nserbench.leaderboard.cells import Column, Row
from nserbench.leaderboard.table import read_metrics, summary_table

Add = Callable[..., Path]
MEL = Row("mel", "mean")
CLEAN = Column("emodb", "clean", "probe v1")


def test_columns_are_clean_then_noises_from_high_to_low_snr(
    root: Path, add: Add
) -> None:
    for condition in ("park@-5", "human@0", "park@10", "clean", "park@0"):
        add(condition=condition)
    add(corpus="casia", condition="park@0")

    table = summary_table(root, ["uar"])

    assert [str(column) for column in table.columns] == [
        "casia park@0",
        "emodb clean",
        "emodb human@0",
        "emodb park@10",
        "emodb park@0",
        "emodb park@-5",
    ]


def test_rows_are_in_natural_order(root: Path, add: Add) -> None:
    for head in ("single:layer=10", "mean", "single:layer=9"):
        add("whisper", head)
    add("mel", "mean")

    table = summary_table(root, ["uar"])

    assert [str(row) for row in table.rows] == [
        "mel x mean",
        "whisper x mean",
        "whisper x single:layer=9",
        "whisper x single:layer=10",
    ]


def test_a_score_is_the_mean_over_seeds_of_the_mean_of_folds(
    root: Path, add: Add
) -> None:
    answers = ("11111110", "11001010", "01110111")
    folders = [add(right=right, seed=seed) for seed, right in enumerate(answers)]

    entry = summary_table(root, ["uar", "accuracy"]).entries[MEL, CLEAN]

    found = [read_result(folder).predictions for folder in folders]
    answers = [answers_by(one)[1] for one in found if one]
    for name, metric in (("uar", uar), ("accuracy", accuracy)):
        folds = [metric(one.sum(axis=0)).mean() for one in answers]
        drawn = np.mean([mean_of_folds(metric, resample(one)) for one in answers], 0)
        score = entry.scores[name]
        assert score.value == pytest.approx(np.mean(folds))
        assert score.low == pytest.approx(np.percentile(drawn, 2.5))
        assert score.high == pytest.approx(np.percentile(drawn, 97.5))
    assert entry.seeds == (0, 1, 2)
    assert entry.utterances == 8


def test_a_seed_tested_on_other_utterances_is_left_out_and_named(
    root: Path, add: Add
) -> None:
    add(right="1111", seed=0)
    add(right="11111110", seed=1)

    table = summary_table(root, ["uar"])

    assert table.entries[MEL, CLEAN].seeds == (1,)
    assert table.notes == [
        "seeds: 1",
        (
            "mel x mean, emodb clean: seed 0 is left out, it was tested on other "
            "utterances, labels or folds than the newest"
        ),
    ]


def test_seeds_that_differ_between_cells_are_mentioned(root: Path, add: Add) -> None:
    for seed in (0, 1):
        add(seed=seed)
    add("whisper")

    assert summary_table(root, ["uar"]).notes == [
        "seeds differ between cells: csv and json say which"
    ]


def test_rows_tested_on_different_utterances_are_mentioned_once(
    root: Path, add: Add
) -> None:
    for condition in ("clean", "park@0"):
        add(condition=condition)
        add("whisper", condition=condition)
        add("wavlm", condition=condition, right="1111")

    assert summary_table(root, ["uar"]).notes == [
        "seeds: 0",
        (
            "emodb clean, emodb park@0: rows were tested on different utterances, "
            "labels or folds and do not compare (utterances: mel x mean 8, "
            "whisper x mean 8 | wavlm x mean 4)"
        ),
    ]


def test_two_protocols_never_share_a_column(root: Path, add: Add) -> None:
    add()
    add(version=2)
    add(protocol="paper")
    add(condition="park@0")

    table = summary_table(root, ["uar"])

    assert [table.head(column) for column in table.columns] == [
        ("emodb", "clean", "paper v1"),
        ("emodb", "clean", "probe v1"),
        ("emodb", "clean", "probe v2"),
        ("emodb", "park@0"),
    ]
    assert table.protocols == [
        "paper v1 on emodb: epochs 50, standardise yes",
        "probe v1 on emodb: epochs 50, standardise yes",
        "probe v2 on emodb: epochs 50, standardise yes",
    ]


@pytest.mark.parametrize(
    ("protocol", "mark"),
    [
        ("probe+oracle+epochs=6", "chosen on test"),
        ("probe+superb", "chosen on known speakers"),
    ],
)
def test_a_choice_that_flatters_is_named_above_every_number_it_made(
    root: Path, add: Add, protocol: str, mark: str
) -> None:
    add(protocol=protocol)

    table = summary_table(root, ["uar"])

    (column,) = table.columns
    assert table.head(column) == ("emodb", "clean", mark)


def test_heads_with_recipes_of_their_own_are_named_beside_them(
    root: Path, add: Add
) -> None:
    add()
    add("whisper")
    add("mel", "bigru", epochs=9)

    assert summary_table(root, ["uar"]).protocols == [
        "probe v1 on emodb (mel x mean, whisper x mean): epochs 50, standardise yes",
        "probe v1 on emodb (mel x bigru): epochs 9, standardise yes",
    ]


def test_reasons_are_given_once_for_each_row(root: Path, add: Add) -> None:
    for condition in ("clean", "park@0"):
        add(condition=condition)
        add(
            "mel",
            "last",
            condition,
            None,
            status="not applicable",
            reason="mel has one layer",
        )
    add("whisper", right=None, status="failed", reason="out of memory")
    add("whisper", seed=1)

    table = summary_table(root, ["uar"])

    assert table.notes == [
        "seeds differ between cells: csv and json say which",
        "n/a: mel x last (emodb clean, emodb park@0): mel has one layer",
        "failed: whisper x mean (emodb clean seed 0): out of memory",
    ]
    assert table.entries[Row("mel", "last"), CLEAN].status == "not applicable"
    assert table.entries[Row("whisper", "mean"), CLEAN].seeds == (1,)


def test_one_speaker_gives_no_interval(root: Path, add: Add) -> None:
    add(speakers=("ann",) * 8)

    score = summary_table(root, ["uar"]).entries[MEL, CLEAN].scores["uar"]

    assert (score.value, score.low, score.high) == (1.0, None, None)


def test_metrics_are_named_as_in_results_and_f1_is_macro() -> None:
    assert read_metrics("uar, f1,f1_macro,accuracy") == ("uar", "f1_macro", "accuracy")


def test_a_misspelt_metric_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName) as caught:
        read_metrics("uar,acuracy")

    assert str(caught.value) == (
        "unknown metric 'acuracy'\n"
        "  did you mean 'accuracy'?\n"
        "  known: accuracy, f1, f1_macro, f1_weighted, uar"
    )
