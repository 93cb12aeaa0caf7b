"""The catalogue of heads: names, options, recipes and refusals."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nserbench.cards import bind
from nserbench.downstreams.base import DownstreamCard, Recipe
from nserbench.downstreams.cards import nserbench_downstreams
from nserbench.errors import BadSpec
from nserbench.spec import parse_spec
from nserbench.upstreams.groups import GroupSpec

CARDS = {card.name: card for card in nserbench_downstreams()}
MEL = {"mel": GroupSpec(range(1, 2), dim=80, rate=100.0)}
WHISPER = {
    "encoder": GroupSpec(range(13), dim=768, rate=50.0),
    "decoder": GroupSpec(range(5), dim=768, rate=None),
}


def refusal(typed: str, groups: dict[str, GroupSpec]) -> str | None:
    spec = parse_spec(typed)
    card: DownstreamCard = CARDS[spec.name]
    return card.refuses(groups, bind(card, spec).options)


def test_offers_the_heads_of_the_paper_each_on_its_tier() -> None:
    tiers = {name: card.tier for name, card in CARDS.items()}

    assert tiers == {
        "last": "pooled",
        "single": "pooled",
        "best": "pooled",
        "mean": "pooled",
        "weighted-sum": "pooled",
        "scalar-mix": "pooled",
        "attention": "pooled",
        "fc": "pooled",
        "bigru": "frames",
        "ladapter": "frames",
    }


def test_trains_as_table_2_says_and_z_scores_functionals_only() -> None:
    standardised = [name for name, card in CARDS.items() if card.recipe.standardise]

    assert standardised == ["fc"]
    assert CARDS["ladapter"].recipe == Recipe(
        epochs=50, batch_size=32, learning_rate=1e-4
    )


def test_dropout_is_one_half_by_default() -> None:
    assert {card.options["dropout"].default for card in CARDS.values()} == {0.5}
    assert bind(CARDS["mean"], parse_spec("mean:dropout=0.2")).options["dropout"] == 0.2


@pytest.mark.parametrize(
    "typed",
    ["last:dropout=1", "single:layer=-1", "single:layer=x", "ladapter:weights=equal"],
)
def test_a_value_out_of_range_is_refused_with_the_right_ones(typed: str) -> None:
    spec = parse_spec(typed)

    with pytest.raises(BadSpec, match=r"must be (a number|a whole number|one of)"):
        bind(CARDS[spec.name], spec)


@pytest.mark.parametrize("name", sorted({*CARDS} - {"single"}))
def test_takes_an_upstream_of_many_layers(name: str) -> None:
    assert refusal(name, WHISPER) is None


@pytest.mark.parametrize("name", ["last", "mean", "fc", "bigru"])
def test_takes_a_group_of_one_layer(name: str) -> None:
    assert refusal(name, MEL) is None
    assert refusal("single:layer=1", MEL) is None


@pytest.mark.parametrize(
    "name", ["weighted-sum", "scalar-mix", "attention", "ladapter"]
)
def test_a_fusion_refuses_a_group_of_one_layer(name: str) -> None:
    reason = "mel has one layer: nothing to fuse"

    assert refusal(name, MEL) == reason
    assert refusal(name, {**WHISPER, **MEL}) == reason


def test_layer_0_can_be_the_second_layer_to_fuse() -> None:
    shallow = {"encoder": GroupSpec(range(2), dim=8, rate=50.0)}

    assert refusal("attention", shallow) == "encoder has one layer: nothing to fuse"
    assert refusal("attention:state0=yes", shallow) is None


def test_mean_refuses_a_group_that_has_only_layer_0() -> None:
    bare = {"encoder": GroupSpec(range(1), dim=8, rate=50.0)}

    assert refusal("mean", bare) == "encoder has no layer: nothing to fuse"
    assert refusal("mean:state0=yes", bare) is None


@pytest.mark.parametrize(
    ("typed", "groups", "reason"),
    [
        ("single", WHISPER, "it reads one layer, and none is given: add layer=N"),
        (
            "single:layer=9",
            WHISPER,
            "layer 9 is not in decoder, which has layers 0 to 4",
        ),
        ("single:layer=0", MEL, "layer 0 is not in mel, which has layer 1 only"),
        ("single:layer=0", WHISPER, None),
    ],
)
def test_single_says_which_layers_there_are(
    typed: str, groups: dict[str, GroupSpec], reason: str | None
) -> None:
    assert refusal(typed, groups) == reason


def test_the_catalogue_needs_no_heavy_library() -> None:
    heavy = "torch transformers pandas numpy"
    script = (
        "import sys, nserbench.downstreams.cards as cards\n"
        "cards.nserbench_downstreams()\n"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
