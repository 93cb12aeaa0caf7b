import pytest

from nserbench.cli.common.tables import TextTable, print_tables


def printed(table: TextTable, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_tables([table])


def test_a_narrow_table_is_wrapped_between_words_and_after_slashes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ("whisper", "any checkpoint", "openai/whisper-small")

    printed(TextTable("models", ("name", "what", "id"), [row]), 36, monkeypatch)

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["models"],
        ["name", "what", "id"],
        ["─" * 36],
        ["whisper", "any", "openai/"],
        ["checkpoint", "whisper-small"],
    ]


def test_a_number_stays_beside_its_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ("features of all layers", "19.2 KB", "3 min")

    printed(TextTable("plan", ("what", "size", "time"), [row]), 28, monkeypatch)

    told = capsys.readouterr().out
    assert "19.2 KB" in told
    assert "3 min" in told


def test_columns_that_do_not_fit_follow_below_beside_the_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = ("upstream", "downstream", "park@-10", "park@0", "park@10")
    row = ("mel", "mean", "done", "missing", "done")

    printed(TextTable("demo", headers, [row], keys=2), 45, monkeypatch)

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["demo"],
        ["upstream", "downstream", "park@-10", "park@0"],
        ["─" * 42],
        ["mel", "mean", "done", "missing"],
        [],
        ["demo", "(continued)"],
        ["upstream", "downstream", "park@10"],
        ["─" * 31],
        ["mel", "mean", "done"],
    ]


def test_a_word_wider_than_the_terminal_is_continued_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(TextTable("", ("", ""), [("x", "0123456789" * 3)]), 20, monkeypatch)

    told = "".join(capsys.readouterr().out.split())
    assert told == "x" + "0123456789" * 3
