import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nserbench.errors import BadSpec
from nserbench.spec import Spec, joined_names, parse_spec, parse_specs

WORDS = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


def test_a_comma_starts_a_new_name_unless_an_option_follows() -> None:
    found = parse_specs("mel,whisper:checkpoint=a/b,groups=encoder,single:layer=3")

    assert found == [
        Spec("mel"),
        Spec("whisper", {"checkpoint": "a/b", "groups": "encoder"}),
        Spec("single", {"layer": "3"}),
    ]


def test_braces_enclose_a_nested_spec_with_commas() -> None:
    found = parse_specs("bert:text={whisper:checkpoint=a/b,groups=decoder},pool=cls")

    assert found == [
        Spec("bert", {"text": "whisper:checkpoint=a/b,groups=decoder", "pool": "cls"})
    ]


def test_a_value_without_a_key_is_positional() -> None:
    assert parse_spec("hf:ORG/NAME,groups=encoder") == Spec(
        "hf", {"groups": "encoder"}, "ORG/NAME"
    )


def test_names_joined_by_plus_keep_their_options_in_braces() -> None:
    text = "{whisper:groups=encoder+decoder,language=de}+wavlm:enhance=dccrn,mel"

    both, alone = parse_specs(text)

    assert both.options == {"enhance": "dccrn"}
    assert joined_names(both.name) == [
        "whisper:groups=encoder+decoder,language=de",
        "wavlm",
    ]
    assert joined_names(alone.name) == ["mel"]


@pytest.mark.parametrize(
    "text", ["", "mel,,bigru", "mel:", "a:b=", "a:b=1,b=2", "a:b={c", "a:b=c}", "=1"]
)
def test_text_that_cannot_be_parsed_raises_an_error(text: str) -> None:
    with pytest.raises(BadSpec):
        parse_specs(text)


@given(
    st.lists(st.tuples(WORDS, st.dictionaries(WORDS, WORDS, max_size=3)), min_size=1)
)
def test_specs_are_parsed_as_they_were_written(
    named: list[tuple[str, dict[str, str]]],
) -> None:
    text = ",".join(
        name
        + (":" + ",".join(f"{k}={v}" for k, v in options.items()) if options else "")
        for name, options in named
    )

    assert [(one.name, one.options) for one in parse_specs(text)] == named


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_raises_an_error(text: str) -> None:
    with contextlib.suppress(BadSpec):
        assert parse_specs(text)
