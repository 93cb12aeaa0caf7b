import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from nserbench.benchmark.results.metrics import METRICS
from nserbench.benchmark.results.read_results import read_result
from nserbench.errors import UnknownName
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import Column, Counts, Row
from nserbench.leaderboard.tables.summary import read_metrics, summary_table

ONE_SEED = "one seed: intervals and tests do not include the variance over seeds"
TOO_FEW = (
    "emodb clean: no difference can be significant, with too few speakers (or other "
    "units of independence) for so many rows"
)
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
    counts = [Counts.of(one).resampled() for one in found if one]
    for name in ("uar", "accuracy"):
        folds = [METRICS[name](one.answers.sum(axis=0)).mean() for one in counts]
        score = entry.scores[name]
        assert score.value == pytest.approx(np.mean(folds))
        assert (score.low, score.high) == Sample.of(
            dict(enumerate(counts)), name
        ).interval()
    assert entry.seeds == (0, 1, 2)
    assert entry.utterances == 8
    assert entry.units == 4


def test_with_one_seed_the_interval_is_that_of_the_result_itself(
    root: Path, add: Add
) -> None:
    file = add(right="11111010") / "result.json"
    stored = json.loads(file.read_text("utf-8"))["metrics"]

    scores = summary_table(root, ["uar", "f1_macro"]).entries[MEL, CLEAN].scores

    for name, score in scores.items():
        assert score.low == pytest.approx(stored[name]["low"])
        assert score.high == pytest.approx(stored[name]["high"])


def test_rows_are_compared_with_the_best_and_with_a_reference(
    root: Path, add: Add
) -> None:
    add(right="11110000")
    add("whisper")
    add("wavlm", right="1111")

    table = summary_table(root, ["uar"], reference=Row("whisper", "mean"))

    found = {row.upstream: one.scores["uar"] for (row, _), one in table.entries.items()}
    assert found["mel"].difference
    assert found["mel"].difference.value == pytest.approx(-0.5)
    assert found["whisper"].difference is None
    assert found["wavlm"].difference is None  # other utterances
    # Four speakers cannot tell half from all, and wavlm was not on the same test.
    assert {name: one.tied for name, one in found.items()} == {
        "mel": True,
        "whisper": True,
        "wavlm": False,
    }


def test_a_reference_that_has_no_result_is_named(root: Path, add: Add) -> None:
    add()

    with pytest.raises(UnknownName, match="unknown row 'mal x mean'"):
        summary_table(root, ["uar"], reference=Row("mal", "mean"))


def test_rows_are_ranked_by_the_first_metric_where_their_tests_are_the_same(
    root: Path, add: Add
) -> None:
    for condition in ("clean", "park@0", "park@5"):
        add(condition=condition, right="1111" if condition == "park@5" else "11110111")
        add("whisper", condition=condition)

    ranks = summary_table(root, ["uar", "accuracy"]).ranks

    assert ranks
    places = {row: rank.value for row, rank in ranks.mean.items()}
    assert places == {Row("whisper", "mean"): 1.0, MEL: 2.0}
    assert len(ranks.columns) == 2


def test_rows_are_ranked_by_every_metric_on_request(root: Path, add: Add) -> None:
    for condition in ("clean", "park@0"):
        add(condition=condition, right="11110111")
        add("whisper", condition=condition)

    found = summary_table(root, ["uar", "accuracy"], rank_by_all=True)
    first = summary_table(root, ["uar", "accuracy"])

    assert list(found.ranks_by) == ["uar", "accuracy"]
    assert found.ranks == found.ranks_by["uar"]
    assert list(first.ranks_by) == ["uar"]


def test_the_table_is_of_the_date_of_its_newest_result(root: Path, add: Add) -> None:
    add("whisper", provenance={"finished": "2026-11-23T00:30:00+01:00"})
    add()

    table = summary_table(root, ["uar"])

    assert table.finished == datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("protocol", ["probe+oracle", "probe+superb"])
def test_no_column_with_a_selection_warning_is_ranked(
    root: Path, add: Add, protocol: str
) -> None:
    for condition in ("clean", "park@0"):
        add(condition=condition, right="11110111")
        add("whisper", condition=condition)
        for upstream in ("mel", "whisper"):
            add(upstream, condition=condition, protocol=protocol)
            add(upstream, condition="park@5", protocol=protocol)

    ranks = summary_table(root, ["uar"]).ranks

    assert ranks
    assert (ranks.protocol, len(ranks.columns)) == ("probe v1", 2)


def test_folds_that_lack_a_class_are_scored_together(root: Path, add: Add) -> None:
    found = read_result(add(right="11101110")).predictions
    assert found
    owners = zip(found.speakers, found.labels.tolist(), strict=True)
    apart = replace(
        found,
        folds=tuple(map(str, found.labels.tolist())),
        speakers=tuple(f"{speaker} {label}" for speaker, label in owners),
    )
    add(predictions=apart)

    (entry,) = summary_table(root, ["uar", "f1_macro"]).entries.values()

    assert entry.pooled
    assert entry.scores["uar"].value == pytest.approx((1 + 2 / 4) / 2)
    f1 = (2 * 4 / (4 + 6) + 2 * 2 / (4 + 2)) / 2
    assert entry.scores["f1_macro"].value == pytest.approx(f1)
    assert entry.chance == {"uar": 0.5, "f1_macro": 0.5}


def test_several_folders_make_one_table(root: Path, add: Add, tmp_path: Path) -> None:
    add("whisper").rename(tmp_path / "moved")
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "moved").rename(other / "whisper")
    add()

    table = summary_table([root, other], ["uar"])

    assert [row.upstream for row in table.rows] == ["mel", "whisper"]


def test_a_seed_tested_on_other_utterances_is_named_and_not_averaged(
    root: Path, add: Add
) -> None:
    add(right="1111", seed=0)
    add(right="11111110", seed=1)

    table = summary_table(root, ["uar"])

    assert table.entries[MEL, CLEAN].seeds == (1,)
    assert table.notes == [
        "seeds: 1",
        ONE_SEED,
        (
            "mel x mean, emodb clean: seed 0 is not averaged, since it was tested on "
            "other utterances, labels or folds than the newest result"
        ),
    ]


def test_seeds_that_differ_between_cells_are_mentioned(root: Path, add: Add) -> None:
    for seed in (0, 1):
        add(seed=seed)
    add("whisper")

    assert summary_table(root, ["uar"]).notes == [
        "seeds differ between cells; the CSV and JSON formats list them",
        f"cells with {ONE_SEED}",
        TOO_FEW,
    ]


def test_with_several_seeds_there_is_no_note_on_one_seed(root: Path, add: Add) -> None:
    for seed in (0, 1):
        add(seed=seed)

    assert summary_table(root, ["uar"]).notes == ["seeds: 0, 1"]


@pytest.mark.parametrize(("rows", "said"), [(2, False), (3, True)])
def test_a_column_in_which_nothing_can_be_significant_is_named(
    root: Path, add: Add, rows: int, said: bool
) -> None:
    found = read_result(add()).predictions
    assert found
    # Six speakers: no p is below 1 / 32, and after Holm below 2 / 32.
    six = replace(found, speakers=("a", "b", "c", "c", "d", "d", "e", "f"))
    for number in range(rows):
        add(f"row{number}", condition="park@0", predictions=six)

    notes = summary_table(root, ["uar"]).notes

    assert (TOO_FEW.replace("clean", "park@0") in notes) == said


def test_rows_tested_on_different_utterances_are_mentioned_once(
    root: Path, add: Add
) -> None:
    for condition in ("clean", "park@0"):
        add(condition=condition)
        add("whisper", condition=condition)
        add("wavlm", condition=condition, right="1111")

    assert summary_table(root, ["uar"]).notes == [
        "seeds: 0",
        ONE_SEED,
        (
            "emodb clean, emodb park@0: rows were tested on different utterances, "
            "labels or folds and cannot be compared (number of utterances: "
            "mel x mean 8, whisper x mean 8 | wavlm x mean 4)"
        ),
        TOO_FEW.replace("clean", "clean, emodb park@0"),
    ]


def test_two_protocols_have_separate_columns(root: Path, add: Add) -> None:
    add()
    add(version=2)
    add(protocol="paper")
    add(condition="park@0")

    table = summary_table(root, ["uar"])

    assert [table.header(column) for column in table.columns] == [
        ("emodb", "clean", "paper v1"),
        ("emodb", "clean", "probe v1"),
        ("emodb", "clean", "probe v2"),
        ("emodb", "park@0", "probe v1"),
    ]
    assert [*map(str, table.protocols)] == [
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
def test_a_selection_warning_is_in_the_header_of_every_column_it_concerns(
    root: Path, add: Add, protocol: str, mark: str
) -> None:
    add(protocol=protocol)

    table = summary_table(root, ["uar"])

    (column,) = table.columns
    assert table.header(column) == ("emodb", "clean", mark)


def test_heads_with_different_recipes_are_named_with_their_settings(
    root: Path, add: Add
) -> None:
    add()
    add("whisper")
    add("mel", "bigru", epochs=9)

    assert [*map(str, summary_table(root, ["uar"]).protocols)] == [
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
        "seeds differ between cells; the CSV and JSON formats list them",
        ONE_SEED,
        TOO_FEW,
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
