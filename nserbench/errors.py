"""Errors whose message the user reads in the terminal."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

_SHOWN = 30  # most known names in one message


class NserbenchError(Exception):
    """A problem that the user can fix. The command line prints no traceback for it."""


class UnknownName(NserbenchError, LookupError):
    """A name that no plugin offers, or an option that a card does not have.

    Args:
        kind: Kind of name, such as ``"upstream"``.
        name: The name that was asked for.
        known: The names that there are.
        hint: A last line that says what to do.
        of: For an option: the card that does not have it.
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
        asked = f"unknown {kind} {name!r}{of and f' of {of}'}"
        lines = [asked, *known_lines(name, known), *([hint] if hint else [])]
        super().__init__("\n  ".join(lines))


def known_lines(name: str, known: Collection[str]) -> list[str]:
    """Return the known name that is nearest to an unknown one, and all known ones."""
    near = nearest(name, known)
    shown = ", ".join(sorted(known)[:_SHOWN]) or "none"
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return [*([f"did you mean {near!r}?"] if near else []), f"known: {shown}{more}"]


def unknown_lines(problem: str, name: str, known: Collection[str]) -> str:
    """Return a message about a key that is not known, with the nearest that is.

    Args:
        problem: What has the key, as in ``"[store] has the unknown entry"``.
    """
    return "\n  ".join([f"{problem} {name!r}", *known_lines(name, known)])


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that an unknown one is most like; None if none is near."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


class BadSpec(NserbenchError, ValueError):
    """A ``NAME:key=value`` that cannot be read, or a value out of its range."""


class DuplicateName(NserbenchError, ValueError):
    """A name that two plugins offer."""

    def __init__(self, kind: str, name: str, plugins: tuple[str, str]) -> None:
        super().__init__(
            f"{kind} {name!r} is offered by both {plugins[0]} and {plugins[1]}\n"
            "  uninstall one of the two plugins, or rename the card in one of them"
        )


class DuplicateKey(NserbenchError, ValueError):
    """A key that two cards of one kind share although they load different code."""

    def __init__(self, kind: str, key: str, cards: Sequence[tuple[str, str]]) -> None:
        both = " and ".join(f"{name!r} ({load})" for name, load in cards)
        super().__init__(
            f"{kind}s {both} have the same key {key!r}, but load different code\n"
            "  each would read the features that the other stored: change one key"
        )


class BadPlugin(NserbenchError, TypeError):
    """A plugin whose hooks or cards cannot be used. Its author must change it."""


class MissingExtra(NserbenchError, ImportError):
    """An optional package that is not installed."""

    def __init__(self, wanted: str, extra: str) -> None:
        super().__init__(
            f"{wanted} needs an optional package\n  install it: "
            f"pip install 'nserbench[{extra}]'"
        )


class CorpusMissing(NserbenchError, FileNotFoundError):
    """A corpus or noise whose files were not found on this machine."""


class BadCorpus(NserbenchError, ValueError):
    """A corpus whose labels, speakers, folds or files contradict themselves."""


class BadAudio(NserbenchError, ValueError):
    """An audio file that cannot be used. The message names the file."""


class CheckpointMissing(NserbenchError, FileNotFoundError):
    """A checkpoint that is not on this machine and cannot be downloaded.

    Args:
        problem: What is missing, and why.
        copy: How a copy of it is named on the command line: ``FOLDER``, or what
            `copy_named` makes of it. Empty if no copy helps.
    """

    def __init__(self, problem: str, copy: str = "") -> None:
        self.problem, self.copy = problem, copy
        hint = f"\n  a copy in a folder: --upstream {copy}" if copy else ""
        super().__init__(problem + hint)


@contextmanager
def copy_named(before: str, after: str = "") -> Iterator[None]:
    """In the block, write before and after a missing copy what it is an option of.

    Args:
        before: Such as ``whisper:checkpoint=``, or ``bert:text={`` around that.
    """
    try:
        yield
    except CheckpointMissing as error:
        if not error.copy:
            raise
        copy = f"{before}{error.copy}{after}"
        raise CheckpointMissing(error.problem, copy) from error.__cause__


class SeveralMissing(NserbenchError):
    """Several things that a command needs and that are not on this machine.

    Attributes:
        problems: An error for each of them.
    """

    def __init__(self, problems: Sequence[NserbenchError]) -> None:
        self.problems = problems
        told = (f"{n}. {problem}" for n, problem in enumerate(problems, 1))
        listed = "\n".join(told).replace("\n", "\n  ")
        super().__init__(f"{len(problems)} things are missing\n  {listed}")


class Missing:
    """Gathers what is missing, so that one message has all of it."""

    def __init__(self) -> None:
        self._problems: dict[str, NserbenchError] = {}

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Keep an error about something missing, and leave the block there."""
        try:
            yield
        except SeveralMissing as error:
            self._problems |= {str(one): one for one in error.problems}
        except (CorpusMissing, CheckpointMissing, MissingExtra) as error:
            self._problems[str(error)] = error

    def refuse(self) -> None:
        """Raise what was gathered, if anything was.

        Raises:
            NserbenchError: the only error, or a `SeveralMissing`.
        """
        match list(self._problems.values()):
            case []:
                return
            case [only]:
                raise only
            case several:
                raise SeveralMissing(several)


class NothingToRun(NserbenchError, ValueError):
    """A grid in which no cell is possible."""


class BadSettings(NserbenchError, ValueError):
    """A settings file that cannot be read."""


class StoreDamaged(NserbenchError, OSError):
    """A file of the feature store whose content is damaged."""


class StoreFull(NserbenchError):
    """A store that would grow over its limit. It ends the command."""


class BadResult(NserbenchError, ValueError):
    """A result folder that cannot be read."""


class EndedEarly(NserbenchError):
    """A problem that ended a command early: the same command goes on from there.

    The command line prints the command below the message.
    """


class DownloadFailed(EndedEarly, OSError):
    """A file that could not be downloaded, or that differs from the published one."""
