"""Refuse a corpus that lacks audio files."""

from __future__ import annotations

from collections.abc import Sequence

from nserbench.errors import BadCorpus

_SHOWN = 20  # names in one message


def refuse_missing_audio(names: Sequence[str], what: str, again: str) -> None:
    """Refuse a corpus if files are missing, and name the first of them.

    Args:
        names: What is missing.
        what: The rest of the sentence that begins with their number.
        again: What to do.

    Raises:
        BadCorpus: if there are names.
    """
    if not names:
        return
    more = f"\n  and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
    listed = "\n  ".join(names[:_SHOWN])
    raise BadCorpus(f"{len(names)} {what}\n  {listed}{more}\n  {again}")
