from nserbench.errors import UnknownName


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
