import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from robustness_text import printed
from scipy.integrate import trapezoid
from scipy.stats import t as student
from values import not_none

from nserbench.benchmark.results.intervals import unseen
from nserbench.benchmark.results.predictions import Predictions
from nserbench.benchmark.results.read_results import read_results
from nserbench.errors import BadResult, NserbenchError, UnknownName
from nserbench.leaderboard.analysis.robustness_measures import (
    RobustnessColumn,
    WorstClass,
    area,
    error,
    interval,
    loss,
    ratio,
    slope,
)
from nserbench.leaderboard.analysis.statistics import Sample
from nserbench.leaderboard.reading.counts import Column, Row
from nserbench.leaderboard.reading.counts_cache import read_counted_results
from nserbench.leaderboard.render.robustness_sheet import (
    robustness_layout,
)
from nserbench.leaderboard.tables.robustness import robustness_table
from nserbench.leaderboard.tables.summary import summary_table

Add = Callable[..., Path]
MEL, WHISPER = Row("mel", "mean"), Row("whisper", "mean")
PARK = RobustnessColumn("emodb", ("park",), "probe v1", (0.0, 5.0))


def sample(value: float, *drawn: float, units: int = 10) -> Sample:
    draws = np.array(drawn) if drawn else None
    return Sample(1, units, 1e6, np.array([value]), draws)


def test_area_and_slope_are_those_of_scipy_and_numpy() -> None:
    snrs = [-10.0, -5.0, 0.0, 7.5]
    values = np.random.default_rng(0).uniform(size=(20, 4))

    areas, slopes = area(snrs, values), slope(snrs, values)

    np.testing.assert_allclose(areas, trapezoid(values, snrs, axis=-1) / 17.5)
    np.testing.assert_allclose(slopes, np.polyfit(snrs, values.T, 1)[0])


def test_relative_error_is_that_of_robuser() -> None:
    # In percent: ROBUSER's own baseline on IEMOCAP under MUSAN at 20, 10 and 0 dB.
    baseline, baseline_clean = [23.49, 28.33, 41.96], 21.64
    errors, clean = [30.0, 35.5, 52.25], 28.0
    wanted = sum(one - clean for one in errors) / sum(
        one - baseline_clean for one in baseline
    )

    own, reference = (
        loss(np.array([1 - eval_mode / 100]), 1 - np.array([noisy]) / 100)
        for noisy, eval_mode in ((errors, clean), (baseline, baseline_clean))
    )

    found = ratio(sample(own[0]), sample(reference[0]))
    assert found is not None
    assert found.value == pytest.approx(wanted)


def test_the_example_of_the_docs_follows_from_the_papers_tables() -> None:
    clean = {"Wav2Vec 2.0 (FT)": 68.08, "Proposed": 76.50}
    noisy = {
        ("Wav2Vec 2.0 (FT)", "human"): [45.63, 50.26, 59.24, 64.40, 65.83],
        ("Wav2Vec 2.0 (FT)", "park"): [52.73, 57.35, 60.68, 65.02, 65.15],
        ("Wav2Vec 2.0 (FT)", "traffic"): [55.08, 60.88, 64.12, 65.89, 66.56],
        ("Proposed", "human"): [61.92, 63.06, 68.79, 70.81, 73.35],
        ("Proposed", "park"): [65.37, 68.78, 73.00, 73.84, 74.83],
        ("Proposed", "traffic"): [69.11, 72.79, 74.39, 74.86, 75.30],
    }
    snrs = [-10, -5, 0, 5, 10]
    page = (Path(__file__).parents[3] / "docs" / "robustness.md").read_text("utf-8")

    means = []
    for (row, noise), values in noisy.items():
        curve = np.array([values])
        lost = loss(np.array([clean[row]]), curve)
        first = np.array([noisy["Wav2Vec 2.0 (FT)", noise]])
        reference = loss(np.array([clean["Wav2Vec 2.0 (FT)"]]), first)
        relative = ratio(sample(lost[0]), sample(reference[0]))
        corruption = ratio(sample(error(curve / 100)[0]), sample(error(first / 100)[0]))
        assert relative is not None
        assert corruption is not None
        numbers = (
            f"{area(snrs, curve)[0]:.1f} | {slope(snrs, curve)[0]:.2f} "
            f"| {lost[0]:.1f} | {100 * corruption.value:.1f} "
            f"| {100 * relative.value:.1f}"
        )
        assert f"| {row} | {noise} | {numbers} |\n" in page
        means.append((100 * corruption.value, 100 * relative.value))
    mce, relative_mce = np.mean(means[3:], axis=0)
    assert f"mCE is {mce:.1f} and the relative mCE {relative_mce:.1f}." in page


def test_a_reference_without_a_loss_gives_no_relative_error() -> None:
    assert ratio(sample(0.2, 0.1, 0.3), sample(0.0, 0.1, 0.1)) is None


def test_there_is_no_interval_if_that_of_the_reference_includes_0() -> None:
    found = ratio(sample(0.2, 0.1, 0.3), sample(0.1, 0.2, 0.0))

    assert found is not None
    assert found.value == pytest.approx(2.0)
    assert interval(found) is None


def test_the_interval_of_the_relative_error_is_fiellers() -> None:
    random = np.random.default_rng(0)
    common = random.normal(0, 0.01, 100_000)
    own = 0.1 + common + random.normal(0, 0.004, 100_000)
    reference = 0.2 + common
    units = 30
    covariance = np.cov(own, reference) * units / (units - 1)
    t = student.ppf(0.975, units - 1)
    a = 0.2**2 - t**2 * covariance[1, 1]
    b = -2 * (0.1 * 0.2 - t**2 * covariance[0, 1])
    c = 0.1**2 - t**2 * covariance[0, 0]
    wanted = np.sort(np.roots([a, b, c]))

    found = ratio(sample(0.1, *own, units=30), sample(0.2, *reference, units=30))

    assert found is not None
    assert found.value == pytest.approx(0.5)
    np.testing.assert_allclose(not_none(interval(found)), wanted, atol=0.01)
    assert np.ptp(wanted) < 0.15  # it would be 0.24, were nothing common to both


def test_the_variance_over_seeds_widens_the_intervals(root: Path, add: Add) -> None:
    half = "10101010"  # of every speaker, so that all draws are alike
    for upstream, seed, noisy in (
        ("mel", 0, half),
        ("mel", 1, half),
        ("whisper", 0, half),
        ("whisper", 1, "11111111"),
    ):
        add(upstream, condition="park@0", right=noisy, seed=seed)
        add(upstream, condition="park@5", right="11111111", seed=seed)

    table = robustness_table(root, ["uar"])

    steady, unsteady = (
        table.entries[row, PARK].measured["uar", "slope"] for row in (MEL, WHISPER)
    )
    # Half of the eight answers change, all of which would lose 0.2 per dB. That is
    # less sure than the bound for answers that were not seen.
    binomial = student.ppf(0.975, 3) * np.sqrt(0.5 * 0.5 / 8)
    reach = 0.2 * max(binomial, unseen(8, 3))
    wanted = np.clip([0.1 - reach, 0.1, 0.1 + reach], -0.2, 0.2)
    assert (steady.low, steady.value, steady.high) == pytest.approx(tuple(wanted))
    assert unsteady.value == pytest.approx(0.05)
    assert unsteady.low is not None
    assert unsteady.low < 0


def test_snrs_with_different_seeds_are_not_joined_to_a_curve(
    root: Path, add: Add
) -> None:
    for condition, seed in (("park@0", 0), ("park@5", 1), ("human@0", 0)):
        add(condition=condition, seed=seed)
    add(condition="human@5", seed=0)

    table = robustness_table(root, ["uar"])

    assert [place.noises for place in table.columns] == [("human",)]


def test_measures_are_taken_from_the_curve_over_the_snr(two_noises: Path) -> None:
    entry = robustness_table(two_noises, ["uar"]).entries[MEL, PARK]

    measured = {kind: one.value for (_, kind), one in entry.measured.items()}
    assert measured == pytest.approx({"area": 0.8125, "slope": 0.025, "loss": 0.1875})
    assert (entry.seeds, entry.utterances, entry.units) == ([0], 8, 4)


def test_values_are_those_of_the_summary_table(root: Path, add: Add) -> None:
    random = np.random.default_rng(0)
    for condition in ("clean", "park@-5", "park@0", "park@10"):
        for seed in (0, 1):
            right = "".join(random.choice(["0", "1"], 8))
            add(condition=condition, right=right, seed=seed)
    metrics = ("f1_macro", "accuracy")
    summary = summary_table(root, metrics)

    table = robustness_table(root, metrics)

    (entry,) = table.entries.values()
    for metric in metrics:
        clean, *noisy = (
            summary.entries[MEL, Column("emodb", condition, "probe v1")]
            .scores[metric]
            .value
            for condition in ("clean", "park@-5", "park@0", "park@10")
        )
        found = {kind: entry.measured[metric, kind].value for kind in ("area", "loss")}
        assert found == pytest.approx(
            {
                "area": trapezoid(noisy, [-5, 0, 10]) / 15,
                "loss": clean - np.mean(noisy),
            }
        )
    assert entry.seeds == [0, 1]


def test_the_snrs_share_their_draws(root: Path, add: Add) -> None:
    for condition in ("clean", "park@0", "park@5"):
        add(condition=condition, right="11100110")

    (entry,) = robustness_table(root, ["uar"]).entries.values()

    spans = {"slope": 0.2, "loss": 1.0}  # what it is if every answer changes
    assert entry.measured["uar", "area"].low != entry.measured["uar", "area"].high
    for kind in ("slope", "loss"):
        one = entry.measured["uar", kind]
        assert one.value == pytest.approx(0)
        width = not_none(one.high) - not_none(one.low)
        assert width == pytest.approx(2 * spans[kind] * unseen(8, 3))


def test_intervals_contain_the_value(two_noises: Path) -> None:
    table = robustness_table(two_noises, ["uar", "f1_macro"])

    estimates = [
        one for entry in table.entries.values() for one in entry.measured.values()
    ]
    assert len(estimates) == 2 * 3 * 2 * 3  # rows, places, metrics, kinds
    for one in estimates:
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.value <= one.high


def test_one_speaker_gives_no_interval(root: Path, add: Add) -> None:
    for condition in ("park@0", "park@5"):
        add(condition=condition, speakers=("ann",) * 8)

    text = printed(robustness_table(root, ["uar"]))

    assert "100.0 [-]" in text
    assert "\n[-]: no interval, since there is only one speaker" in text


def test_the_worst_class_is_that_with_the_lowest_recall(two_noises: Path) -> None:
    entry = robustness_table(two_noises, ["uar"]).entries[MEL, PARK]

    assert entry.worst == WorstClass("neutral", 0.75)


def test_a_class_without_utterances_is_not_the_worst(root: Path, add: Add) -> None:
    classes = ("anger", "joy", "neutral")
    labels = np.array([0, 2, 0, 2])
    spoken = Predictions(
        utterances=("u0", "u1", "u2", "u3"),
        speakers=("ann", "bob", "cid", "dot"),
        folds=("1", "1", "2", "2"),
        classes=classes,
        labels=labels,
        predicted=np.array([0, 2, 0, 1]),
        probabilities=np.eye(3)[[0, 2, 0, 1]],
    )
    for condition in ("park@0", "park@5"):
        add(condition=condition, classes=classes, predictions=spoken)

    (entry,) = robustness_table(root, ["uar"]).entries.values()

    assert entry.worst == WorstClass("neutral", 0.5)


def test_the_loss_relative_to_the_reference(two_noises: Path) -> None:
    table = robustness_table(two_noises, ["uar"], reference=MEL)

    found = {
        (str(row), place.noises): entry.measured["uar", "relative"].value
        for (row, place), entry in table.entries.items()
    }
    # In the park mel loses 0.1875 of the UAR, and whisper 0.375.
    assert found == pytest.approx(
        {
            ("mel x mean", ("human",)): 1.0,
            ("mel x mean", ("park",)): 1.0,
            ("mel x mean", ("human", "park")): 1.0,
            ("whisper x mean", ("human",)): 1.0,
            ("whisper x mean", ("park",)): 2.0,
            ("whisper x mean", ("human", "park")): 1.5,
        }
    )


def many(random: np.random.Generator, share: float) -> Predictions:
    """Return answers to 160 utterances of ten speakers, of which a share is right."""
    numbers = np.arange(160)
    labels, right = numbers % 2, random.random(160) < share
    predicted = np.where(right, labels, 1 - labels)
    return Predictions(
        utterances=tuple(f"u{number}" for number in numbers),
        speakers=tuple(f"s{number // 16}" for number in numbers),
        folds=tuple("12"[number // 80] for number in numbers),
        classes=("anger", "neutral"),
        labels=labels,
        predicted=predicted,
        probabilities=np.eye(2)[predicted],
    )


def test_corruption_errors_are_those_of_an_independent_computation(
    root: Path, add: Add
) -> None:
    random = np.random.default_rng(1)
    conditions = [f"{noise}@{snr}" for noise in ("park", "human") for snr in (0, 5, 10)]
    for upstream, condition in product(("mel", "whisper"), ["clean", *conditions]):
        add(upstream, condition=condition, predictions=many(random, 0.7))

    def uar(upstream: str, condition: str) -> float:
        (one,) = (
            not_none(each.predictions)
            for each in read_results(root)
            if (each.upstream, each.condition) == (upstream, condition)
        )
        folds = np.array(one.folds)
        recalls = [
            np.mean((one.predicted == one.labels)[(folds == f) & (one.labels == c)])
            for f, c in product(np.unique(folds), (0, 1))
        ]
        return float(np.mean(recalls))

    errors = {
        upstream: 1 - np.array([uar(upstream, one) for one in conditions]).reshape(2, 3)
        for upstream in ("mel", "whisper")
    }
    wanted = errors["whisper"].sum(axis=1) / errors["mel"].sum(axis=1)

    table = robustness_table(root, ["uar"], reference=MEL)

    found = {
        place.noises: entry.measured["uar", "corruption"]
        for (row, place), entry in table.entries.items()
        if row == WHISPER
    }
    assert found["park",].value == pytest.approx(wanted[0])
    assert found["human",].value == pytest.approx(wanted[1])
    assert found["human", "park"].value == pytest.approx(wanted.mean())  # mCE
    assert all(
        not_none(one.low) < one.value < not_none(one.high) for one in found.values()
    )


def test_the_interval_of_the_corruption_error_is_that_of_its_linear_approximation(
    root: Path, add: Add
) -> None:
    random = np.random.default_rng(2)
    for upstream, snr in product(("mel", "whisper"), (0, 5)):
        add(upstream, condition=f"park@{snr}", predictions=many(random, 0.6))
    tallies = {
        (tally.row, tally.column.condition): not_none(tally.counts).resampled()
        for tally in read_counted_results(root)
    }

    def drawn(row: Row) -> tuple[float, np.ndarray]:
        cells = [tallies[row, f"park@{snr}"] for snr in (0, 5)]
        errors = 1 - np.mean([one.drawn["uar"] for one in cells], axis=0)
        values = [Sample.of({0: one}, "uar").value for one in cells]
        return 1 - float(np.mean(values)), errors.astype(float)

    (own, own_draws), (base, base_draws) = drawn(WHISPER), drawn(MEL)
    linear = own / base + (own_draws - own / base * base_draws) / base
    error = np.sqrt(np.mean((linear - own / base) ** 2) * 10 / 9)
    reach = student.ppf(0.975, 9) * error

    table = robustness_table(root, ["uar"], reference=MEL)

    estimate = table.entries[WHISPER, PARK].measured["uar", "corruption"]
    assert estimate.value == pytest.approx(own / base)
    wanted = own / base - reach, own / base + reach
    assert (estimate.low, estimate.high) == pytest.approx(wanted)


def test_without_clean_speech_there_is_a_corruption_error_and_no_relative_one(
    root: Path, add: Add
) -> None:
    for upstream, snr in product(("mel", "whisper"), (0, 5)):
        add(upstream, condition=f"park@{snr}", right="11101110")

    table = robustness_table(root, ["uar"], reference=MEL)

    measured = table.entries[WHISPER, PARK].measured
    assert measured["uar", "corruption"].value == pytest.approx(1)
    assert ("uar", "relative") not in measured


def test_a_reference_without_errors_gives_no_corruption_error(
    root: Path, add: Add
) -> None:
    for upstream, snr in product(("mel", "whisper"), (0, 5)):
        right = "11111111" if upstream == "mel" else "11101110"
        add(upstream, condition=f"park@{snr}", right=right)

    table = robustness_table(root, ["uar"], reference=MEL)

    assert ("uar", "corruption") not in table.entries[WHISPER, PARK].measured
    notes = robustness_layout(table).notes
    assert any("(CE): the reference has no result" in line for line in notes)


def test_a_reference_without_noise_is_said_to_be_missing(root: Path, add: Add) -> None:
    for condition in ("clean", "park@0", "park@5"):
        add(condition=condition, right="11111100")
    add("whisper", condition="clean")

    text = printed(robustness_table(root, ["uar"], reference=WHISPER))

    assert re.search(r"UAR rCE +-\n", text)
    assert "the row or the reference has no result on clean speech" in " ".join(
        text.split()
    )


def test_without_clean_speech_there_is_no_loss(root: Path, add: Add) -> None:
    for condition in ("park@0", "park@5"):
        add(condition=condition)

    text = printed(robustness_table(root, ["uar"]))

    assert re.search(r"UAR lost +-\n", text)
    below = "-: no result on clean speech with the same utterances and seeds\n"
    assert f"\n{below}" in text


def test_clean_speech_of_other_utterances_gives_no_loss(root: Path, add: Add) -> None:
    add(condition="clean", right="111111")
    for condition in ("park@0", "park@5"):
        add(condition=condition)

    (entry,) = robustness_table(root, ["uar"]).entries.values()

    assert ("uar", "loss") not in entry.measured


def test_a_reference_on_other_utterances_is_not_compared(root: Path, add: Add) -> None:
    for upstream, right in (("mel", "11111100"), ("whisper", "111100")):
        add(upstream, condition="clean", right="1" * len(right))
        for condition in ("park@0", "park@5"):
            add(upstream, condition=condition, right=right)

    table = robustness_table(root, ["uar"], reference=WHISPER)

    assert ("uar", "relative") in table.entries[WHISPER, PARK].measured
    assert ("uar", "relative") not in table.entries[MEL, PARK].measured


def test_several_noises_are_averaged(two_noises: Path) -> None:
    table = robustness_table(two_noises, ["uar"])

    noises = [place.noises for place in table.columns]
    assert noises == [("human",), ("park",), ("human", "park")]
    each = [table.entries[WHISPER, place] for place in table.columns]
    human, park, mean = (entry.measured["uar", "area"].value for entry in each)
    assert mean == pytest.approx((human + park) / 2)


def test_other_snrs_are_another_column(root: Path, add: Add) -> None:
    for upstream, snrs in (("mel", (0, 5)), ("whisper", (-5, 0, 5))):
        for snr in snrs:
            add(upstream, condition=f"park@{snr}")

    table = robustness_table(root, ["uar"])

    assert [table.headers[place] for place in table.columns] == [
        ("emodb", "park", "-5, 0, 5 dB"),
        ("emodb", "park", "0, 5 dB"),
    ]
    assert set(table.entries) == {
        (WHISPER, table.columns[0]),
        (MEL, table.columns[1]),
    }


def test_a_flat_curve_has_the_interval_of_its_points(root: Path, add: Add) -> None:
    for condition in ("park@0", "park@5"):
        add(condition=condition, right="11110110")
    point = summary_table(root, ["uar"]).entries[
        MEL, Column("emodb", "park@0", "probe v1")
    ]

    (entry,) = robustness_table(root, ["uar"]).entries.values()

    found, wanted = entry.measured["uar", "area"], point.scores["uar"]
    assert (found.value, found.low, found.high) == pytest.approx(
        (wanted.value, wanted.low, wanted.high)
    )


def test_noises_on_other_utterances_are_not_averaged(root: Path, add: Add) -> None:
    for snr in (0, 5):
        add(condition=f"park@{snr}")
        add(condition=f"human@{snr}", right="111111")

    table = robustness_table(root, ["uar"])

    assert [place.noises for place in table.columns] == [("human",), ("park",)]


def test_noises_at_other_snrs_are_not_averaged(root: Path, add: Add) -> None:
    for condition in ("park@0", "park@5", "human@0", "human@10"):
        add(condition=condition)

    table = robustness_table(root, ["uar"])

    assert [place.noises for place in table.columns] == [("park",), ("human",)]


def test_a_noise_at_one_snr_is_missing_and_named(root: Path, add: Add) -> None:
    for condition in ("clean", "park@0", "park@5", "human@0"):
        add(condition=condition)

    table = robustness_table(root, ["uar"])

    assert [place.noises for place in table.columns] == [("park",)]
    assert (
        table.notes[-1]
        == "emodb human: tested at one SNR only, so missing here (mel x mean)"
    )


def test_snrs_on_different_utterances_are_not_joined_to_a_curve(
    root: Path, add: Add
) -> None:
    add(condition="human@0")
    add(condition="human@5")
    add(condition="park@0")
    add(condition="park@5", right="111111")

    table = robustness_table(root, ["uar"])

    assert [place.noises for place in table.columns] == [("human",)]
    assert table.notes[-1].startswith("emodb park: the SNRs were tested on different")


def test_no_noise_at_two_snrs_is_a_users_error(root: Path, add: Add) -> None:
    add(condition="park@0")

    with pytest.raises(NserbenchError, match="at two or more SNRs"):
        robustness_table(root, ["uar"])


def test_a_misspelt_reference_is_a_users_error(two_noises: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'mel x mean'"):
        robustness_table(two_noises, ["uar"], reference=Row("mell", "mean"))


def test_an_empty_folder_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(BadResult):
        robustness_table(tmp_path, ["uar"])


def test_a_selection_warning_is_in_the_header_of_its_column(
    root: Path, add: Add
) -> None:
    for condition in ("park@0", "park@5"):
        add(condition=condition, protocol="probe+oracle")

    table = robustness_table(root, ["uar"])

    assert table.headers[table.columns[0]][-1] == "chosen on test"
