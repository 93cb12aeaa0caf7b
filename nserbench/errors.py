"""Errors whose message is written for the person at the terminal."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

_SHOWN = 30  # known names in one message


class NserbenchError(Exception):
    """Something the user can put right. The command line prints no traceback."""


class UnknownName(NserbenchError, LookupError):
    """A name that no plugin offers, or an option that a card does not have.

    Args:
        kind: What sort of name it is.
        name: As it was typed.
        known: Those that there are.
        hint: What else would help.
        of: What lacks it, such as the card of an option.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        known: Collection[str],
        hint: str = "",
        *,
        of: str = "",
    ) -> None:
        lines = [f"unknown {kind} {name!r}{of and f' of {of}'}"]
        if near := difflib.get_close_matches(name, known, n=1):
            lines.append(f"did you mean {near[0]!r}?")
        shown = ", ".join(sorted(known)[:_SHOWN]) or "none"
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        lines.append(f"known: {shown}{more}")
        if hint:
            lines.append(hint)
        super().__init__("\n  ".join(lines))


class BadSpec(NserbenchError, ValueError):
    """A ``NAME:key=value`` that cannot be read, or a value out of its range."""


class DuplicateName(NserbenchError, ValueError):
    """Two plugins offer the same name."""

    def __init__(self, kind: str, name: str, plugins: tuple[str, str]) -> None:
        super().__init__(
            f"{kind} {name!r} is offered by both {plugins[0]} and {plugins[1]}\n"
            "  uninstall one, or ask its author for another name"
        )


class DuplicateKey(NserbenchError, ValueError):
    """Two cards of one kind have the same key, but load different code."""

    def __init__(self, kind: str, key: str, cards: Sequence[tuple[str, str]]) -> None:
        both = " and ".join(f"{name!r} ({load})" for name, load in cards)
        super().__init__(
            f"{kind}s {both} have the same key {key!r}, but load different code\n"
            "  each would read what the other stored: give one of them another key"
        )


class MissingExtra(NserbenchError, ImportError):
    """A package that an optional part needs is not installed."""

    def __init__(self, wanted: str, extra: str) -> None:
        super().__init__(
            f"{wanted} needs an optional package\n  pip install 'nserbench[{extra}]'"
        )


class CorpusMissing(NserbenchError, FileNotFoundError):
    """A corpus or noise whose files are not on this machine."""


class BadCorpus(NserbenchError, ValueError):
    """A corpus whose labels, speakers, folds or files contradict themselves."""


class BadAudio(NserbenchError, ValueError):
    """An audio file that cannot be used; the message names it."""


class CheckpointMissing(NserbenchError, FileNotFoundError):
    """Weights that are neither on this machine nor to be had from it."""


class NothingToRun(NserbenchError, ValueError):
    """A grid in which no cell can exist."""


class BadSettings(NserbenchError, ValueError):
    """A settings file that cannot be read."""


class StoreDamaged(NserbenchError, OSError):
    """A shard of the feature store whose content is not what was written."""


class BadResult(NserbenchError, ValueError):
    """A result folder that cannot be read."""


class DownloadFailed(NserbenchError, OSError):
    """A file that could not be fetched, or is not the one that was published."""
