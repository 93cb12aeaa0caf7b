import dataclasses
from typing import Any

import pytest

from nserbench.benchmark.study.protocol_names import read_protocol
from nserbench.benchmark.study.protocols import PROTOCOLS, VARIANTS, Protocol
from nserbench.benchmark.study.splits import Split, SplitRule
from nserbench.downstreams.base import DownstreamCard, Recipe
from nserbench.errors import BadSpec, UnknownName

HEAD = DownstreamCard(
    name="head",
    summary="",
    source="",
    licence="",
    load="nowhere:head",
    recipe=Recipe(epochs=7, batch_size=3, learning_rate=0.5),
)
SPLITS = [Split("1", train=(2, 3), test=(0, 1)), Split("2", train=(0, 1), test=(2, 3))]
PROTOCOL = Protocol(name="ours", version=1, summary="", recipe={"learning_rate": 0.25})


def test_the_command_line_overrides_the_protocol_which_overrides_the_head() -> None:
    protocol = dataclasses.replace(PROTOCOL, recipe={"epochs": 9, "learning_rate": 1.0})

    plain = protocol.recipe_for(HEAD)
    said = protocol.changed(epochs=2, limit=None).recipe_for(HEAD)

    assert plain == Recipe(epochs=9, batch_size=3, learning_rate=1.0)
    assert said == Recipe(epochs=2, batch_size=3, learning_rate=1.0)


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ({"epochs": None, "limit": None}, "paper"),
        ({"epochs": 5, "limit": None}, "paper+epochs=5"),
        ({"epochs": None, "limit": 24}, "paper+limit=24"),
        ({"epochs": 5, "limit": 24}, "paper+epochs=5+limit=24"),
    ],
)
def test_the_label_says_what_the_command_line_changed(
    said: dict[str, Any], label: str
) -> None:
    assert read_protocol("paper", "probe").changed(**said).label == label


@pytest.mark.parametrize(
    "change",
    [
        {"name": "theirs"},
        {"version": 2},
        {"recipe": {"learning_rate": 0.125}},
        {"recipe": {"learning_rate": 0.25, "standardise": True}},
        {"overrides": {"epochs": 3}},
        {"limit": 3},
        {"mix_seed": 1},
        {"rule": SplitRule(dev="units")},
        {"rule": SplitRule(disjoint=True)},
        {"training": "clean"},
        {"training": "unseen", "unseen": "park"},
    ],
)
def test_details_change_with_every_setting_that_changes_a_number(
    change: dict[str, Any],
) -> None:
    other = dataclasses.replace(PROTOCOL, **change)

    assert other.details(HEAD, SPLITS) != PROTOCOL.details(HEAD, SPLITS)


def test_details_change_with_the_heads_recipe_and_the_folds() -> None:
    head = dataclasses.replace(HEAD, recipe=Recipe(epochs=8))
    plain = PROTOCOL.details(HEAD, SPLITS)

    assert PROTOCOL.details(head, SPLITS) != plain
    assert PROTOCOL.details(HEAD, SPLITS[:1]) != plain


def test_the_summary_is_not_part_of_the_details() -> None:
    other = dataclasses.replace(PROTOCOL, summary="said in other words")

    assert other.details(HEAD, SPLITS) == PROTOCOL.details(HEAD, SPLITS)


def test_paper_leaves_every_recipe_as_it_is_printed() -> None:
    assert read_protocol("paper", "probe").recipe_for(HEAD) == HEAD.recipe
    assert Recipe() == Recipe(
        epochs=50, batch_size=32, learning_rate=1e-4, standardise=False
    )


def test_probe_has_a_recipe_for_each_way_in_which_a_head_is_trained() -> None:
    probe, head = read_protocol("probe", "paper"), HEAD
    frames = dataclasses.replace(HEAD, tier="frames")

    rates = [
        probe.recipe_for(head).learning_rate,
        probe.recipe_for(frames).learning_rate,
        probe.recipe_for(frames, tunes=True).learning_rate,
    ]

    assert rates == [1e-2, 1e-3, 1e-3]
    assert probe.recipe_for(head).epochs > probe.recipe_for(frames).epochs
    assert probe.recipe_for(head, tunes=True).schedule == "constant"
    for one in (probe.recipe_for(head), probe.recipe_for(frames)):
        assert one.standardise
        assert one.class_weights
        assert one.schedule == "cosine"


def test_probe_trains_the_ladapter_for_fewer_epochs_than_other_heads_on_frames() -> (
    None
):
    probe = read_protocol("probe", "paper")
    frames = dataclasses.replace(HEAD, tier="frames")
    ladapter = dataclasses.replace(frames, name="ladapter")

    assert probe.recipe_for(frames).epochs == 40
    assert probe.recipe_for(ladapter).epochs == 10
    assert probe.recipe_for(ladapter).learning_rate == 1e-3
    assert probe.recipe_for(ladapter, tunes=True) == probe.recipe_for(
        frames, tunes=True
    )


def test_a_typed_setting_changes_every_recipe() -> None:
    probe = read_protocol("probe+epochs=3", "paper")
    frames = dataclasses.replace(HEAD, tier="frames")

    assert probe.recipe_for(HEAD).epochs == 3
    assert probe.recipe_for(frames).epochs == 3
    assert probe.recipe_for(frames, tunes=True).epochs == 3


def test_an_unknown_protocol_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean 'probe'"):
        read_protocol("prob", "paper")
    names = [one.name for one in (*PROTOCOLS, *VARIANTS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        (None, "probe"),
        ("dev", "probe+dev"),
        ("paper+dev", "paper+dev"),
        ("loso+clean-train+dev", "probe+dev+loso+clean-train"),
        ("noise_split=disjoint", "probe+noise_split=disjoint"),
        (
            "paper+epochs=5+unseen-noise=musan/noise+dev",
            "paper+dev+unseen-noise=musan/noise+epochs=5",
        ),
        ("paper+learning_rate=0.001+epochs=5", "paper+epochs=5+learning_rate=0.001"),
        ("class_weights=yes", "probe+class_weights=yes"),
        ("demo+label_smoothing=0.1", "demo+label_smoothing=0.1"),
    ],
)
def test_variants_and_settings_follow_a_protocol_or_the_corpus_own(
    typed: str | None, label: str
) -> None:
    found = read_protocol(typed, "probe")

    assert found.label == label
    assert read_protocol(label, "paper") == found


def test_a_setting_reaches_the_recipe() -> None:
    found = read_protocol("probe+schedule=cosine+standardise=no", "paper")

    recipe = found.recipe_for(HEAD)
    assert (recipe.schedule, recipe.standardise) == ("cosine", False)
    assert recipe.learning_rate == 1e-2


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("paper+deb", "unknown variant 'deb' of paper\n  did you mean 'dev'"),
        ("paper+epoch=5", "unknown setting 'epoch=5' of protocol 'paper'"),
        ("paper+epochs=0", r"paper\+epochs=0: must be a whole number, at least 1"),
        ("paper+learning_rate=-1", "must be above 0"),
        ("dev+oracle", "oracle would undo a variant before it"),
        ("multi+clean-train", "clean-train would undo"),
        ("clean-train+oracle", "selects the epoch on the test set"),
        ("oracle+multi", "selects the epoch on the test set"),
        ("noise_split=shred", "known: .*noise_split=disjoint"),
        ("unseen-noise=clean", "write the name of a noise after unseen-noise="),
        ("unseen-noise=park+unseen-noise=bus", "bus would undo a variant before it"),
        ("multi+unseen-noise=park", "unseen-noise=park would undo"),
        ("oracle+unseen-noise=park", "selects the epoch on the test set"),
    ],
)
def test_variants_that_contradict_each_other_are_refused(
    typed: str, problem: str
) -> None:
    with pytest.raises((BadSpec, UnknownName), match=problem):
        read_protocol(typed, "probe")


def test_the_details_describe_selection_and_training() -> None:
    plain, oracle, clean = (
        read_protocol(text, "probe").details(HEAD, SPLITS)
        for text in ("paper", "paper+oracle", "paper+clean-train")
    )

    assert plain["selection"] == "last epoch"
    assert oracle["selection"].endswith("the test set itself: an upper bound")
    assert clean["noise"] == "trained on clean speech, tested in the condition"


MATCHED = "matched: trained and tested in the same condition"
SAME = (
    "any noise from the same recording in training and test (or the same set of files)"
)
OWN = (
    "any noise from a segment of the recording (or of the set of files) that no other "
    "fold has"
)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("paper", f"{MATCHED}, {SAME}"),
        ("multi", f"trained on all of clean, hiss@0, tested in one, {SAME}"),
        ("noise_split=disjoint", f"{MATCHED}, {OWN}"),
        (
            "unseen-noise=park",
            "trained in park at the SNR of the test, tested in the condition",
        ),
    ],
)
def test_the_details_say_whether_training_and_test_share_noise(
    typed: str, said: str
) -> None:
    protocol = read_protocol(typed, "probe")

    found = protocol.details(HEAD, SPLITS, trained=["clean", "hiss@0"])["noise"]

    assert found == said
    assert "; " not in found  # which parts the settings of a protocol


def test_the_order_of_variants_does_not_change_the_label() -> None:
    one, other = (
        read_protocol(text, "probe")
        for text in ("multi+noise_split=disjoint+dev", "dev+multi+noise_split=disjoint")
    )

    assert one == other
    assert one.label == "probe+dev+multi+noise_split=disjoint"


@pytest.mark.parametrize(
    ("typed", "options", "both"),
    [
        ("probe+precision=fp32", {"precision": "bf16"}, "fp32, and --precision bf16"),
        ("probe+epochs=5", {"epochs": 9}, "epochs=5, and --epochs 9"),
    ],
)
def test_two_values_for_one_setting_are_refused_with_both(
    typed: str, options: dict[str, Any], both: str
) -> None:
    protocol = read_protocol(typed, "paper")
    settings = {"epochs": None, "limit": None, "precision": None}

    with pytest.raises(BadSpec, match=both):
        protocol.changed(**{**settings, **options})


def test_frames_of_8_bits_are_a_protocol_of_their_own_with_the_same_recipe() -> None:
    plain, coded = (
        read_protocol(text, "paper") for text in ("probe", "probe+frames=int8")
    )

    assert coded.label == "probe+frames=int8"
    assert (plain.frame_form, coded.frame_form) == ("frames", "frames_int8")
    assert coded.recipe_for(HEAD) == plain.recipe_for(HEAD)
    details = [one.details(HEAD, SPLITS) for one in (plain, coded)]
    assert {key for key in details[0] if details[0][key] != details[1][key]} == {"name"}


def test_another_type_of_frames_is_refused_with_those_that_exist() -> None:
    with pytest.raises(BadSpec, match="frames=fp8: must be one of float16, int8"):
        read_protocol("probe+frames=fp8", "paper")


def test_two_values_within_a_protocol_are_refused() -> None:
    with pytest.raises(BadSpec, match=r"sets epochs=5, and \+epochs=9 another value"):
        read_protocol("probe+epochs=5+epochs=9", "paper")


def test_the_same_value_twice_is_no_contradiction() -> None:
    protocol = read_protocol("probe+epochs=5", "paper").changed(epochs=5, limit=None)

    assert protocol.label == "probe+epochs=5"
