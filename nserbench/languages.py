"""Languages as people write them: codes of BCP 47 and ISO 639, and English names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langcodes import Language

_UNSTATED = frozenset({"mis", "mul", "und", "zxx"})
"""Codes for no language, several languages, or one that is not known."""
_AS = {"nb": "no"}
"""Languages that upstreams know under a wider code."""
_SHORTEST_NAME = 3
"""Letters; a shorter text is a code or nothing."""


@cache
def language_code(text: str) -> str:
    """Return the code of a language: of ISO 639-1, or of 639-3 if it has none there.

    Regions, scripts and variants are left out; Mandarin is Chinese, ``zh``, and Bokmål
    is Norwegian, ``no``.

    Args:
        text: A tag of BCP 47, a code of ISO 639-1, 639-2 or 639-3, or an English name.

    Raises:
        ValueError: if it is none of these.

    Examples:
        >>> [language_code(text) for text in ("DE", "de-DE", "deu", "ger", "German")]
        ['de', 'de', 'de', 'de', 'de']
        >>> [language_code(text) for text in ("zh-CN", "cmn", "Mandarin", "yue")]
        ['zh', 'zh', 'zh', 'yue']
    """
    found = _of_tag(text.strip()) or _of_name(text.strip())
    code = found and found.prefer_macrolanguage().language
    if not code or code in _UNSTATED:
        raise ValueError(
            f"{text!r} is not a language: write a code such as de, deu or de-DE, or an "
            "English name such as German"
        )
    return _AS.get(code, code)


def _of_tag(text: str) -> Language | None:
    # Imported here, since it takes a fifth of the start of a command.
    from langcodes import Language
    from langcodes.tag_parser import LanguageTagError

    try:
        found = Language.get(text)
    except LanguageTagError:
        return None
    return found if found.is_valid() and "-" not in (found.language or "-") else None


def _of_name(text: str) -> Language | None:
    if len(text) < _SHORTEST_NAME or not text.isprintable():
        return None  # langcodes fails on control characters and lone surrogates
    from langcodes import find

    try:
        return find(text, language="en")
    except LookupError:
        return None
