import io
import sys

import pytest

from nserbench.cli.common.streams import print_anything


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("gbk", "clean+ 语 \\xe5 \\udcff"),
        ("ascii", "clean+ \\u8bed \\xe5 \\udcff"),
        ("latin-1", "clean+ \\u8bed å \\udcff"),
        ("utf-8", "clean† 语 å \\udcff"),
    ],
)
def test_characters_that_an_encoding_lacks_are_replaced(
    monkeypatch: pytest.MonkeyPatch, encoding: str, expected: str
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))

    print_anything()
    sys.stdout.write("clean† 语 å \udcff")
    sys.stdout.flush()

    assert raw.getvalue().decode(encoding) == expected
