"""Numbers, JSON and TOML of others: what Python reads and the formats do not allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from nserbench.errors import BadSettings
from nserbench.plain_data import number, numbers, parse_json, read_toml, whole_number

NO_NUMBERS = ["", " 1", "1 ", "1_000", "\u0661", "1" * 100_000, "nan", "inf", "0x10"]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1.5", "-1", "1e3"])
def test_a_whole_number_is_written_in_ascii_digits(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number of at least 0"):
        whole_number(text)


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1e400", "-Infinity", "1e", "."])
def test_a_number_is_finite_and_written_in_ascii_digits(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        number(text)


def test_numbers_that_python_writes_are_read_back() -> None:
    values = [0.0, -5.0, 1e-45, 2.2250738585072014e-308, -1.7976931348623157e308]

    assert [number(repr(value)) for value in values] == values
    assert whole_number("0042") == 42


def test_a_whole_number_has_bounds() -> None:
    with pytest.raises(ValueError, match="'7' is not a whole number from 1 to 5"):
        whole_number("7", 1, 5)


def test_a_message_shows_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(ValueError, match="is not a number") as raised:
        number("9" * 100_000)

    assert len(str(raised.value)) < 80


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-Infinity",
        "1e400",
        "9" * 30,
        "9" * 100_000,
        "[" * 100_000,
        '{"a":' * 100_000,
        '"\\ud800"',
        "{",
        "",
    ],
)
def test_json_holds_finite_numbers_and_whole_characters(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any text: the caller words it
        parse_json(text)


def test_json_of_bytes_must_be_utf_8() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse_json(b'"\xff"')


@pytest.mark.parametrize("part", ["a.", '"a b".', "'a' . ", "a-b.\t", "0."])
@pytest.mark.parametrize("line", ["{}a = 1", "[{}a]", "[[{}a]]", "b = {{{}a = 1}}"])
def test_a_toml_key_of_many_parts_is_refused(
    tmp_path: Path, part: str, line: str
) -> None:
    file = tmp_path / "nserbench.toml"
    file.write_text(line.format(part * 100_000) + "\n", encoding="utf-8")

    with pytest.raises(BadSettings, match="a key has more than 32 parts"):
        read_toml(file, BadSettings)


def test_texts_of_toml_may_be_long_and_have_dots(tmp_path: Path) -> None:
    file = tmp_path / "nserbench.toml"
    text = "A sentence. " * 1000 + "x" * 1_000_000 + "..." * 1000
    file.write_text(f'a.b.c = "{text}"\n', encoding="utf-8")

    assert read_toml(file, BadSettings) == {"a": {"b": {"c": text}}}


def test_json_is_read() -> None:
    text = '{"a": [1, -2.5, null, "\\ud83d\\ude00", 18446744073709551615]}'

    assert parse_json(text) == {"a": [1, -2.5, None, "😀", 2**64 - 1]}


@pytest.mark.parametrize(
    "value",
    ["nan", "-inf", "1e400", "0x" + "f" * 40, "9" * 5000, "[" * 100_000, "[[nan]]"],
)
def test_toml_holds_finite_numbers(tmp_path: Path, value: str) -> None:
    file = tmp_path / "nserbench.toml"
    file.write_text(f"[cluster]\njobs = {value}\n", encoding="utf-8")

    with pytest.raises(
        BadSettings, match=r"nserbench.toml( is not TOML: |: 'jobs' is )"
    ):
        read_toml(file, BadSettings)


@pytest.mark.parametrize("wrong", ["nan", "1_0", "1e999", "", "+-1", "٣", "0x1"])
def test_a_column_of_numbers_is_read_as_each_number_alone(wrong: str) -> None:
    right = ["0.25", "1", "1e-7", "-3.", ".5"]

    assert numbers(right) == [number(text) for text in right]
    with pytest.raises(ValueError, match="is not a number"):
        numbers([*right, wrong])
