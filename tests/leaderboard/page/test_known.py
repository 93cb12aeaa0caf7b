"""What the cards say about the names of a page."""

import pytest

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.leaderboard.page.known import known, licence_address, linked
from nserbench.upstreams.base import UpstreamCard


def cards(kind: str, name: str) -> list[dict[str, object]]:
    found = known(Plugins(installed=False), {kind: [name]})
    assert isinstance(found["cards"], list)
    return found["cards"]


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        ("mel", ["mel"]),
        ("whisper:language=de,groups=encoder", ["whisper"]),
        ("whisper+{wavlm:groups=encoder}", ["whisper", "wavlm"]),
        ("mel:enhance=dccrn", ["mel", "dccrn"]),
        ("convtasnet-mel", ["convtasnet-mel", "convtasnet"]),
        ("bert:text={whisper:language=de}", ["bert", "whisper"]),
        ("hubert:finetune=last", ["hubert", "last"]),
        ("hubert:finetune=joint", ["hubert"]),
        ("of a plugin that is not here", []),
        ("{:=", []),
    ],
)
def test_all_cards_behind_a_name_are_found(name: str, behind: list[str]) -> None:
    assert [card["name"] for card in cards("upstream", name)] == behind


@pytest.mark.parametrize(
    ("name", "checkpoint", "address"),
    [
        (
            "wavlm",
            "microsoft/wavlm-base",
            "/tree/efa81aae7ff777e464159e0f877d54eac5b84f81",
        ),
        ("whisper:checkpoint=openai/whisper-tiny", "openai/whisper-tiny", ""),
        ("whisper:checkpoint=a/b,revision=abc", "a/b", "/tree/abc"),
        ("hf:org/name", "org/name", ""),
    ],
)
def test_a_checkpoint_leads_to_its_commit_on_the_hub(
    name: str, checkpoint: str, address: str
) -> None:
    (card,) = cards("upstream", name)

    wanted = f"https://huggingface.co/{checkpoint}{address}"
    assert card["checkpoint"] == [(checkpoint, wanted)]


def test_a_checkpoint_in_a_folder_leads_nowhere() -> None:
    (card,) = cards("upstream", "whisper:checkpoint=whisper-tiny.en")

    assert card["checkpoint"] == [("whisper-tiny.en", None)]


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("whisper", "MIT"),
        ("whisper:checkpoint=openai/whisper-small", "MIT"),
        ("whisper:checkpoint=whisper-tiny.en", "not stated"),
        ("mel:enhance={convtasnet:checkpoint=ours}", "not stated"),
    ],
)
def test_the_licence_of_a_card_is_not_that_of_another_checkpoint(
    name: str, licence: str
) -> None:
    *_, card = cards("upstream", name)

    assert card["licence"] == [(licence, licence_address(licence))]


def test_parts_of_a_source_lead_to_papers_and_repositories() -> None:
    text = (
        "A, arXiv:2105.01051; doi:10.5683/SP2/E8; github.com/a/b.; https://c.org/d, e"
    )

    pieces = linked(text)

    assert "".join(part for part, _ in pieces) == text
    assert [address for _, address in pieces if address] == [
        "https://arxiv.org/abs/2105.01051",
        "https://doi.org/10.5683/SP2/E8",
        "https://github.com/a/b",
        "https://c.org/d",
    ]


def test_no_text_of_a_card_becomes_a_link_to_a_script() -> None:
    card = UpstreamCard(
        name="mine",
        load="mine:Mine",
        source="javascript:alert(1) data:text/html,x",
        licence="javascript:alert(1)",
    )

    found = known(Plugins([card], installed=False), {"upstream": ["mine"]})

    assert "http" not in str(found)
    assert "None" in str(found)


def test_licences_are_linked_where_they_are_spdx_identifiers() -> None:
    assert licence_address("CC0-1.0") == "https://spdx.org/licenses/CC0-1.0.html"
    assert licence_address("none: no weights") is None
    assert licence_address("unheard-of") is None
