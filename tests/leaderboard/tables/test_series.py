from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nserbench.benchmark.results.intervals import Estimate
from nserbench.benchmark.results.read_results import read_results
from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import Column, Row, row_and_column
from nserbench.leaderboard.reading.latest import latest_results
from nserbench.leaderboard.tables.series import (
    CostPoint,
    Point,
    confusions,
    costs,
    layer_curves,
    layer_weights,
    on_pareto_front,
    snr_curves,
    wer_points,
)
from nserbench.leaderboard.tables.summary import SummaryTable, summary_table

Add = Callable[..., Path]
MEL = Row("mel", "mean")
PARK = Column("emodb", "park", "probe v1")
CLEAN = Column("emodb", "clean", "probe v1")


def table(root: Path) -> SummaryTable:
    return summary_table(root, ["uar", "f1_macro"])


def test_an_snr_curve_has_the_scores_of_the_table_from_low_to_high_snr(
    root: Path, add: Add
) -> None:
    for snr, right in (("10", "11111110"), ("-5", "10101010"), ("0", "11101110")):
        add(condition=f"park@{snr}", right=right)

    (curve,) = snr_curves(table(root), "uar")

    assert (curve.row, curve.column, curve.group) == (MEL, PARK, "")
    assert [point.x for point in curve.points] == [-5, 0, 10]
    for point in curve.points:
        column = Column("emodb", f"park@{point.x:g}", "probe v1")
        score = table(root).entries[MEL, column].scores["uar"]
        assert point == Point(point.x, score)


def test_each_row_corpus_noise_and_protocol_has_its_own_snr_curve(
    root: Path, add: Add
) -> None:
    add(condition="park@0")
    for other in (
        {"upstream": "whisper"},
        {"head": "last"},
        {"condition": "human@0"},
        {"corpus": "casia"},
        {"protocol": "paper"},
    ):
        add(**{"condition": "park@0", **other})

    assert len(snr_curves(table(root), "uar")) == 6


def test_clean_speech_and_unfinished_cells_are_not_points(root: Path, add: Add) -> None:
    add()
    add(condition="park@0")
    add(condition="park@5", right=None, status="failed", reason="no room")

    (curve,) = snr_curves(table(root), "uar")

    assert [point.x for point in curve.points] == [0]


def test_single_layers_form_a_curve_for_each_upstream_group_and_column(
    root: Path, add: Add
) -> None:
    for layer, right in ((10, "11111110"), (9, "11101110"), (0, "10101010")):
        add("whisper", f"single:groups=encoder,layer={layer}", right=right)
    add("whisper", "single:groups=decoder,layer=1")
    add("whisper", "single:groups=encoder,layer=1", condition="park@0")
    add("whisper-enc", "single:layer=1")

    first, *others = layer_curves(table(root), "uar")

    assert (first.row, first.group) == (Row("whisper", "single"), "decoder")
    found = {(one.row.upstream, one.group, one.column.condition) for one in others}
    assert found == {
        ("whisper", "encoder", "clean"),
        ("whisper", "encoder", "park@0"),
        ("whisper-enc", "", "clean"),
    }
    (encoder,) = (one for one in others if len(one.points) == 3)
    assert [point.x for point in encoder.points] == [0, 9, 10]
    assert [point.score.value for point in encoder.points] == [0.5, 0.75, 0.875]


def test_heads_that_differ_in_another_option_do_not_share_a_curve(
    root: Path, add: Add
) -> None:
    add(head="single:layer=1")
    add(head="single:dropout=0.1,layer=1")

    heads = {one.row.downstream for one in layer_curves(table(root), "uar")}

    assert heads == {"single", "single:dropout=0.1"}


@pytest.mark.parametrize(
    "head", ["last", "single", "single:layer=all", "single:{{,layer", "double:layer=1"]
)
def test_other_heads_have_no_layer(head: str, root: Path, add: Add) -> None:
    add(head=head)

    assert layer_curves(table(root), "uar") == []


@pytest.mark.parametrize("layer", ["9" * 5000, "\u0661", "1_0", "-1"])
def test_a_layer_that_is_no_number_has_no_curve(
    layer: str, root: Path, add: Add
) -> None:
    add(head=f"single:layer={layer}")

    assert layer_curves(table(root), "uar") == []


def test_a_confusion_counts_the_answers_of_all_folds_and_seeds(
    root: Path, add: Add
) -> None:
    add(right="11111110")
    add(right="01111111", seed=1)

    (found,) = confusions(read_results(root))

    assert (found.row, found.column) == (MEL, CLEAN)
    assert found.classes == ("anger", "neutral")
    # Each seed has 4 utterances of each class: one anger and one neutral went wrong.
    assert found.matrix.tolist() == [[7, 1], [1, 7]]


def test_the_newest_result_of_a_seed_is_shown(root: Path, add: Add) -> None:
    add(right="00000000")
    add(right="11111111", provenance={"commit": "b"}, digest="1" * 10)

    (found,) = confusions(read_results(root))

    assert found.matrix.tolist() == [[4, 0], [0, 4]]


def test_a_newer_failure_replaces_an_older_result_as_in_the_table(
    root: Path, add: Add
) -> None:
    add()
    add(right=None, status="failed", reason="no room", digest="1" * 10)

    assert latest_results(read_results(root)) == {}
    assert table(root).entries[MEL, CLEAN].status == "failed"


def test_the_newest_result_is_found_across_time_zones(root: Path, add: Add) -> None:
    add(right="11111111", provenance={"finished": "2026-01-01T10:00:00+00:00"})
    # 03:00 in UTC, though its text sorts behind the other's.
    older = {"finished": "2026-01-01T12:00:00+09:00", "commit": "b"}
    add(right="00000000", provenance=older, digest="1" * 10)

    (found,) = confusions(read_results(root))

    assert found.matrix.tolist() == [[4, 0], [0, 4]]
    assert table(root).entries[MEL, CLEAN].scores["uar"].value == 1


def test_seeds_finished_at_the_same_time_are_chosen_as_in_the_table(
    root: Path, add: Add
) -> None:
    at_once = {"finished": "2026-01-01T10:00:00+00:00"}
    add(right="11110000", provenance=at_once)
    add(right="1111", provenance=at_once, seed=1)

    ((_, kept),) = latest_results(read_results(root)).items()

    assert tuple(one.seed for one in kept) == table(root).entries[MEL, CLEAN].seeds


def test_a_seed_tested_on_other_utterances_is_not_averaged(
    root: Path, add: Add
) -> None:
    add(right="1111")
    add(right="11111111", seed=1)

    ((_, (kept,)),) = latest_results(read_results(root)).items()

    assert kept.seed == 1


def test_results_have_the_row_and_column_of_the_table(root: Path, add: Add) -> None:
    add(condition="park@0")
    add(version=2)
    add("whisper", "last", protocol_details={"name": "probe"}, corpus="casia")

    assert {row_and_column(one) for one in read_results(root)} == set(
        table(root).entries
    )


def test_a_wer_point_has_the_error_rate_and_the_metric(root: Path, add: Add) -> None:
    for seed, rate in enumerate((0.25, 0.35)):
        add(recognition={"measure": "WER", "rate": rate}, seed=seed, right="11111110")
    add("wavlm")

    (found,) = wer_points(table(root), read_results(root), "f1_macro")

    score = table(root).entries[MEL, CLEAN].scores["f1_macro"]
    assert (found.row, found.column, found.measure) == (MEL, CLEAN, "WER")
    assert found.rate == pytest.approx(0.3)
    assert found.score == score


def test_a_wer_point_may_compare_with_clean_speech(root: Path, add: Add) -> None:
    add(recognition={"measure": "WER", "rate": 2.0}, right="11111110")
    add(condition="park@0", recognition={"clean_match_error": 0.4}, right="11111100")

    (found,) = wer_points(table(root), read_results(root), "f1_macro", "clean")

    assert found.column.condition == "park@0"
    assert (found.rate, found.measure) == (0.4, "match error from clean")


def test_a_cost_is_the_time_of_extraction_and_training_over_seeds(
    root: Path, add: Add
) -> None:
    spent = {"trainable_parameters": 324, "frozen_parameters": None}
    for seed, seconds in enumerate((1.0, 3.0)):
        times = {"extraction_seconds": 10.0, "training_seconds": seconds}
        add(costs={**spent, **times}, seed=seed, right="11111110")
    add("wavlm", costs={"extraction_seconds": 10.0, "training_seconds": None})
    add("bert")

    (found,) = costs(table(root), read_results(root), "uar")

    assert (found.row, found.seconds, found.score.value) == (MEL, 12.0, 0.875)
    assert (found.trainable_parameters, found.frozen_parameters) == (324, None)


def test_the_cost_of_a_fine_tuned_upstream_includes_fine_tuning(
    root: Path, add: Add
) -> None:
    spent = {"extraction_seconds": 1.0, "training_seconds": 2.0}
    add(costs={**spent, "tuning_seconds": 3600.0})
    add("wavlm", costs={**spent, "tuning_seconds": None})

    (found,) = costs(table(root), read_results(root), "uar")

    assert (found.row, found.seconds) == (MEL, 3603.0)


def cost(value: float, seconds: float, column: Column = CLEAN) -> CostPoint:
    return CostPoint(MEL, column, Estimate(value, None, None), seconds, None, None)


def test_points_that_no_other_dominates_are_on_the_pareto_front() -> None:
    found = [cost(0.5, 1), cost(0.4, 2), cost(0.7, 2), cost(0.7, 3), cost(0.9, 30)]

    assert on_pareto_front(found) == [True, False, True, False, True]


def test_equal_points_and_other_columns_do_not_dominate_each_other() -> None:
    found = [cost(0.5, 1), cost(0.5, 1), cost(0.4, 2, PARK)]

    assert on_pareto_front(found) == [True, True, True]


def test_the_third_digit_of_seconds_is_ignored() -> None:
    assert on_pareto_front([cost(0.5, 48.8), cost(0.9, 49.2)]) == [False, True]


def weighted(*folds: dict[str, dict[str, float]]) -> dict[str, Any]:
    numbered = {str(fold): groups for fold, groups in enumerate(folds, start=1)}
    return {"notes": {"layer_weights": numbered}, "head": "weighted-sum"}


def test_layer_weights_are_means_over_folds_and_seeds(root: Path, add: Add) -> None:
    one, two = {"10": 0.5, "9": 0.5}, {"10": 0.7, "9": 0.3}
    add(**weighted({"encoder": one, "decoder": {"1": 1.0}}, {"encoder": two}))
    add(**weighted({"encoder": two}, {"encoder": two}), seed=1)
    add(head="mean")

    encoder, decoder = layer_weights(read_results(root))

    assert (encoder.row, encoder.column) == (Row("mel", "weighted-sum"), CLEAN)
    assert list(encoder.by_layer) == [9, 10]
    assert encoder.by_layer[10] == pytest.approx(np.mean([0.5, 0.7, 0.7, 0.7]))
    assert (decoder.group, decoder.by_layer) == ("decoder", {1: 1.0})


@pytest.mark.parametrize(
    "noted", [[0.5], {"1": 0.5}, {"1": {"encoder": [0.5]}}, {"1": {"e": {"one": 1}}}]
)
def test_weights_that_are_not_numbers_by_layer_are_an_error(
    noted: object, root: Path, add: Add
) -> None:
    add(notes={"layer_weights": noted})

    with pytest.raises(BadResult, match=r"mel_mean.*notes\.layer_weights"):
        layer_weights(read_results(root))
