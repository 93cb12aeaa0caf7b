"""Print any text on any terminal, whatever characters its encoding lacks."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Mapping
from types import MappingProxyType

PLAIN = "nserbench.plain"
"""Name of the error handler that `print_anything` sets."""

_PLAIN_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "\N{DAGGER}": "+",
        "\N{DOUBLE DAGGER}": "++",
        "\N{EN DASH}": "-",
        "\N{GREEK CAPITAL LETTER DELTA}": "Delta",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{PLUS-MINUS SIGN}": "+-",
        "\N{REPLACEMENT CHARACTER}": "?",
    }
)


def print_anything() -> None:
    r"""Let standard output and error replace what their encoding lacks.

    The signs of tables get a plain form, such as ``+`` for a dagger; all others are
    printed as Python writes them, such as ``\u8bed``. This also holds for bytes of a
    file's name that are not UTF-8.
    """
    codecs.register_error(PLAIN, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a test may have another
            stream.reconfigure(errors=PLAIN)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (_PLAIN_FORMS.get(letter, ascii(letter)[1:-1]) for letter in lacking)
    return "".join(plain), error.end
