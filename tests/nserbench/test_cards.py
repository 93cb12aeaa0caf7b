from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from yaml.constructor import SafeConstructor

from nserbench.cards import (
    Card,
    ConfiguredCard,
    Option,
    at_least,
    bind,
    nested_label,
    several,
    several_label,
    yes_no,
    yes_no_label,
)
from nserbench.corpora.base import NoiseCard
from nserbench.errors import BadSpec, MissingExtra, UnknownName
from nserbench.spec import Spec, parse_spec

CARD = Card(
    name="thing",
    summary="",
    source="",
    licence="",
    load="no_such_package.anywhere:load",
    extra="things",
    options={
        "layer": Option(help="", default=1, parse=at_least(0)),
        "groups": Option(
            help="", parse=several, label=several_label, affects_features=False
        ),
        "id": Option(help=""),
    },
    positional="id",
)


def bound(text: str) -> ConfiguredCard[Card]:
    return bind(CARD, parse_spec(text))


def test_options_that_are_not_typed_have_their_default() -> None:
    assert bound("thing:layer=3").options == {"layer": 3, "groups": None, "id": None}


def test_the_label_has_the_options_that_differ_from_the_default_in_one_order() -> None:
    one = bound("thing:layer=3,groups=a+b")
    other = bound("thing:groups=a+b,layer=3")

    assert one.label == other.label == "thing:groups=a+b,layer=3"
    assert bound("thing:layer=1").label == "thing"


def test_a_value_without_a_key_sets_the_positional_option() -> None:
    assert bound("thing:ORG/NAME").label == "thing:id=ORG/NAME"


def test_two_values_for_the_positional_option_are_refused_with_both() -> None:
    with pytest.raises(BadSpec, match="id= twice: ORG/ONE and ORG/TWO"):
        bound("thing:ORG/ONE,id=ORG/TWO")


def test_options_that_only_select_do_not_identify_features() -> None:
    assert bound("thing:groups=a").key_options() == bound("thing").key_options()
    assert bound("thing:layer=2").key_options() != bound("thing").key_options()


def test_the_default_of_an_option_added_later_does_not_identify_features() -> None:
    pad = Option(help="", default=True, parse=yes_no, label=yes_no_label)
    later = replace(pad, added_later=True)

    def keys(option: Option, text: str) -> dict[str, str | None]:
        card = replace(CARD, options={**CARD.options, "pad": option})
        return bind(card, parse_spec(text)).key_options()

    before = bound("thing").key_options()
    assert keys(later, "thing") == keys(later, "thing:pad=yes") == before
    assert keys(later, "thing:pad=no") == {**before, "pad": "no"}
    assert keys(pad, "thing") == {**before, "pad": "yes"}


def test_an_unknown_option_raises_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'layer'") as caught:
        bound("thing:layers=3")

    assert "known: groups, id, layer" in str(caught.value)


def test_a_value_out_of_range_raises_an_error_with_the_valid_range() -> None:
    with pytest.raises(
        BadSpec, match=r"thing:layer=-1: must be a whole number, at least 0"
    ):
        bound("thing:layer=-1")


def test_a_missing_package_names_the_pip_command() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'nserbench\[things\]'"):
        CARD.loader()


INNER = Card(name="inner", summary="", source="", licence="", load="", options={})
OUTER = replace(
    CARD,
    name="outer",
    options={
        "by": Option(
            help="",
            default=Spec("inner"),
            parse=parse_spec,
            label=nested_label,
            names_a="card",
        ),
        "id": Option(help="which one", required=True),
    },
)


def nested(kind: str, spec: Spec) -> ConfiguredCard[Card]:
    assert kind == "card"
    inner = replace(INNER, options={"layer": Option(help="", default=1)})
    return bind(inner, spec)


def test_a_name_in_an_option_is_bound_to_its_card() -> None:
    plain = bind(OUTER, parse_spec("outer:x"), nested)
    typed = bind(OUTER, parse_spec("outer:x,by={inner:layer=3}"), nested)

    assert (plain.label, plain.options["by"].card.name) == ("outer:id=x", "inner")
    assert typed.label == "outer:by={inner:layer=3},id=x"
    assert bind(OUTER, parse_spec(typed.label), nested).label == typed.label


def test_a_missing_required_option_raises_an_error_with_its_help() -> None:
    with pytest.raises(BadSpec, match="outer needs the option id=: which one"):
        bind(OUTER, parse_spec("outer"), nested)


def test_a_nested_name_is_refused_where_none_is_allowed() -> None:
    with pytest.raises(
        BadSpec, match="'inner' is not allowed: no card can be named here"
    ):
        bind(OUTER, parse_spec("outer:x"))


@pytest.mark.parametrize(
    ("default", "typed", "value", "label"),
    [
        (3, "-4", -4, "-4"),
        (0.5, "1e-05", 1e-05, "1e-05"),
        (True, "no", False, "no"),
        ("a", "b", "b", "b"),
        (("a",), "b+c", ("b", "c"), "b+c"),
        (Path("a.pt"), "some/b.pt", Path("some/b.pt"), "b.pt"),
    ],
)
def test_an_option_is_read_and_shown_by_the_type_of_its_default(
    default: object, typed: str, value: object, label: str
) -> None:
    option = Option(default=default)
    card = Card(name="thing", load="a:b", options={"key": option})

    made = bind(card, parse_spec(f"thing:key={typed}"))

    assert (made.options["key"], made.label) == (value, f"thing:key={label}")
    assert type(made.options["key"]) is type(value)
    assert Option(default=default, parse=str.upper).parser("x") == "X"


def test_a_default_of_another_type_needs_a_parser() -> None:
    with pytest.raises(TypeError, match=r"default is \{\} needs a function parse="):
        Option(default={})


@pytest.mark.parametrize(
    ("option", "typed"),
    [
        (Option(), "/data/w.pt"),
        (Option(), "fast:/data/w.pt"),
        (Option(), "~me/w.pt"),
        (Option(), r"C:\w.pt"),
        (Option(parse=Path, label=str), "data/w.pt"),
        (Option(default=("x",)), "x+/data/w.pt"),
    ],
)
def test_no_option_shows_a_folder_in_a_table(option: Option, typed: str) -> None:
    card = Card(name="thing", load="a:b", options={"key": option})

    with pytest.raises(BadSpec, match="shows a folder of this machine"):
        bind(card, parse_spec(f"thing:key={{{typed}}}"))
    with pytest.raises(ValueError, match="shows a folder of this machine"):
        _ = ConfiguredCard(card, {"key": option.parser(typed)}).label
    with pytest.raises(ValueError, match="option 'key' of 'thing': "):
        replace(card, options={"key": replace(option, default=option.parser(typed))})


@pytest.mark.parametrize("text", ["ORG/NAME", "https://a.org/b", "a/b/c", "1/2", "~"])
def test_a_hub_id_or_an_address_is_no_folder(text: str) -> None:
    assert Option().shown(text) == text


def test_two_files_of_one_name_are_two_identities(tmp_path: Path) -> None:
    card = Card(name="thing", load="a:b", options={"key": Option(parse=Path)})
    for name, content in (("one", "1"), ("other", "2"), ("copy", "1")):
        (tmp_path / name / "w").mkdir(parents=True)
        (tmp_path / name / "w" / "w.pt").write_text(content)

    def keys(path: Path) -> dict[str, str | None]:
        return ConfiguredCard(card, {"key": path}).key_options()

    files = [tmp_path / name / "w" / "w.pt" for name in ("one", "other", "copy")]
    assert keys(files[0]) == keys(files[2]) != keys(files[1])
    assert keys(files[0].parent) == keys(files[2].parent) != keys(files[1].parent)
    assert str(tmp_path) not in str(keys(files[0]))


def test_name_and_load_are_enough() -> None:
    card = Card(name="thing", load="a:b")

    assert {card.summary, card.source, card.licence} == {"not stated"}


def test_a_function_is_the_same_code_as_its_name() -> None:
    named = Card(name="thing", load="yaml.constructor:SafeConstructor")

    itself = replace(named, load=SafeConstructor)

    assert itself.target == named.target
    assert itself.identity == named.identity
    assert itself.identity["code"]
    assert itself.loader() is named.loader() is SafeConstructor


def test_code_that_its_source_does_not_identify_is_refused() -> None:
    for load in (partial(at_least, 3), at_least(3)):
        with pytest.raises(TypeError, match="defined at the top of a module"):
            Card(name="thing", load=load)


def test_a_noise_whose_name_would_be_read_as_an_snr_is_refused() -> None:
    with pytest.raises(ValueError, match="an @, which stands before an SNR"):
        NoiseCard(name="hall@2", load="hall:file")
