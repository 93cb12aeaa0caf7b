"""The tables of the page of heads are those of the code."""

import pytest
from card_facts import SIZES, head_facts

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.spec import parse_spec

GRU = 2 * 3 * 256 * (768 + 256 + 2)  # both directions, three gates, two biases
ADAPTER = GRU + 2 * 512  # with the layer norm
CLASSIFIER = 512 * 4 + 4


@pytest.fixture(scope="module")
def facts() -> dict[str, str]:
    """Return the facts of all heads."""
    return head_facts(Plugins(installed=False))


@pytest.mark.parametrize(
    ("head", "parameters"),
    [
        ("last", 768 * 4 + 4),
        ("weighted-sum", 768 * 4 + 4 + 12),
        ("attention", 768 * 4 + 4 + 768),
        ("bigru", GRU + CLASSIFIER),
        ("ladapter", 12 * (ADAPTER + 1) + CLASSIFIER),
    ],
)
def test_the_parameters_of_a_head_on_a_base_model_are_counted(
    facts: dict[str, str], head: str, parameters: int
) -> None:
    (row,) = [line for line in facts[head].splitlines() if "HuBERT" in line]

    assert row.endswith(f"| {parameters:,} |")


def test_a_head_that_cannot_read_an_upstream_has_the_reason(
    facts: dict[str, str],
) -> None:
    assert "| mel | not applicable: mel has one layer" in facts["ladapter"]


def test_options_are_listed_with_their_defaults(facts: dict[str, str]) -> None:
    assert "| `weights=` | free, as in Eq. 7" in facts["ladapter"]
    assert "| `free` |" in facts["ladapter"]


def test_the_groups_of_mel_are_those_of_its_card() -> None:
    mel = Plugins(installed=False).upstreams.bind(parse_spec("mel"))

    assert mel.card.describe(mel.options).groups == SIZES["mel"]
