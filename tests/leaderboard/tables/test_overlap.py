"""What a table says of what training and test have in common."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nserbench.errors import BadResult
from nserbench.leaderboard.reading.counts import ProtocolSettings
from nserbench.leaderboard.reading.protocol_use import ProtocolUse
from nserbench.leaderboard.render.layout import brackets_note
from nserbench.leaderboard.tables.summary import summary_table

HAS = "test utterances, training has"
Add = Callable[..., Path]


def test_the_overlap_of_training_and_test_set_is_named_once_for_each_corpus(
    root: Path, add: Add
) -> None:
    told = {"utterances": 8, "speakers": 0, "texts": 8, "without_text": 0}
    for upstream in ("mel", "other"):
        add(upstream, notes={"overlap": told})
    add(corpus="meld", notes={"overlap": told | {"speakers": 7, "texts": None}})
    add(corpus="old")

    lines = summary_table(root, ["uar"]).notes

    assert lines[:2] == [
        f"emodb: of 8 {HAS} the speaker of 0 and the text of 8",
        f"meld: of 8 {HAS} the speaker of 7; texts are not known",
    ]
    assert not any(line.startswith("old") for line in lines)


def test_protocols_with_another_overlap_are_named(root: Path, add: Add) -> None:
    told = {"utterances": 8, "speakers": 0, "texts": 8, "without_text": 0}
    add(notes={"overlap": told})
    add(protocol="probe+dev", notes={"overlap": told | {"texts": 3}})

    lines = summary_table(root, ["uar"]).notes

    assert [line.partition(":")[0] for line in lines[:2]] == [
        "emodb (probe v1)",
        "emodb (probe+dev v1)",
    ]


def test_a_malformed_overlap_is_refused_with_its_folder(root: Path, add: Add) -> None:
    folder = add(notes={"overlap": {"utterances": "many"}})

    with pytest.raises(BadResult, match=r"notes.overlap: not an object of") as caught:
        summary_table(root, ["uar"])

    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("units", "over"),
    [
        (["speaker"], "speakers"),
        ([None], "speakers"),
        (["utterance (its ...)"], "the unit that the protocol names"),
        (["speaker", "dialogue"], "speakers, or the unit that the protocol names"),
    ],
)
def test_a_unit_that_is_not_a_speaker_is_never_called_a_speaker(
    units: list[str | None], over: str
) -> None:
    details = [{"unit": unit} if unit else {} for unit in units]
    uses = [ProtocolUse("p", ProtocolSettings.of(of), [], True) for of in details]

    note = brackets_note(uses, [])

    assert note == f"95 % interval in brackets, by bootstrap over {over}"
