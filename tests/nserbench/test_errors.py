import pickle

import pytest

from nserbench.errors import CheckpointMissing, UnknownName, copy_named


def test_a_missing_checkpoint_says_how_a_copy_is_named_wherever_it_is_named() -> None:
    with (
        pytest.raises(CheckpointMissing) as caught,
        copy_named("bert:text={", "}"),
        copy_named("whisper:checkpoint="),
    ):
        raise CheckpointMissing("no a/b", "FOLDER")

    copy = "bert:text={whisper:checkpoint=FOLDER}"
    error = caught.value
    assert str(error) == f"no a/b\n  a copy in a folder: --upstream {copy}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_no_copy_is_named_where_none_would_help() -> None:
    with (
        pytest.raises(CheckpointMissing, match=r"^damaged$"),
        copy_named("whisper:checkpoint="),
    ):
        raise CheckpointMissing("damaged")


def test_an_unknown_name_is_reported_with_the_nearest_all_known_and_a_hint() -> None:
    error = UnknownName("option", "layers", ["layer", "groups"], "ask", of="head 'a'")

    assert str(error) == (
        "unknown option 'layers' of head 'a'\n"
        "  did you mean 'layer'?\n"
        "  known: groups, layer\n"
        "  ask"
    )


def test_without_known_names_the_message_says_none() -> None:
    assert str(UnknownName("cell", "x", [])) == "unknown cell 'x'\n  known: none"


def test_of_many_known_names_some_are_printed_and_the_rest_counted() -> None:
    error = UnknownName("cell", "x", [f"{number:03}" for number in range(100)])

    assert str(error).endswith("027, 028, 029 and 70 more")
