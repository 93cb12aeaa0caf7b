"""Find out where an error arose: in a plugin's code, or in nserbench itself."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import sysconfig
import traceback
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import FrameType

_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
"""The name and password in an address such as ``https://NAME:PASSWORD@host``."""
_OURS = "nserbench"
_BUILT_IN = ("nserbench.upstreams.", "nserbench.downstreams.")
_LIBRARIES = tuple(
    path
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
    if (path := sysconfig.get_path(name)) is not None
)


@dataclass(frozen=True, slots=True)
class ErrorOrigin:
    """The place where an error arose, apart from libraries that were called there.

    Attributes:
        file: Name of the file, without its folder.
        in_plugin: Whether it is the code of an upstream, head or other plugin.
    """

    file: str
    line: int
    in_plugin: bool

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


def origin(error: BaseException) -> ErrorOrigin | None:
    """Return where an error arose; None if no code of nserbench or a plugin ran.

    It is the innermost frame of a plugin, or else of nserbench: an error of a library,
    or of a function of nserbench that a plugin called, belongs to the plugin. If the
    plugin is of others, functions of our own upstreams and heads are such functions.
    """
    frames = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not _is_library(frame)
    ]
    plugins = [(frame, line) for frame, line in frames if _is_plugin(frame)]
    called = takewhile(lambda place: _is_plugin(place[0]), reversed(frames))
    others = [place for place in called if not _is_ours(place[0])]
    for frame, line in others or reversed(plugins or frames):
        file = Path(frame.f_code.co_filename).name
        return ErrorOrigin(file, line, in_plugin=bool(plugins))
    return None


def arose_in_plugin(error: BaseException) -> bool:
    """Return whether an error arose in the code of a plugin."""
    place = origin(error)
    return place is not None and place.in_plugin


def describe_error(error: BaseException) -> str:
    """Return the type and message of an unexpected error, and where it arose."""
    place, message = origin(error), message_of(error)
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if place is None else f"{text} ({place})"


def message_of(error: BaseException) -> str:
    """Return the message of an error of any code, as text that can be written.

    Characters that are no text in UTF-8, as in the name of a file, are escaped. Names
    and passwords in addresses are left out, since results are published.

    Examples:
        >>> message_of(ValueError("no https://me:pass@host/model"))
        'no https://host/model'
    """
    try:
        message = str(error)
    except Exception as problem:  # noqa: BLE001 - a plugin's error may do anything
        return f"its message cannot be shown: {type(problem).__name__}"
    message = _LOGIN.sub("", message)
    return message.encode("utf-8", "backslashreplace").decode()


def _is_plugin(frame: FrameType) -> bool:
    return not _is_ours(frame) or _module(frame).startswith(_BUILT_IN)


def _is_ours(frame: FrameType) -> bool:
    return _module(frame).partition(".")[0] == _OURS


def _is_library(frame: FrameType) -> bool:
    """Return whether a frame is of Python or of an installed package."""
    top = _module(frame).partition(".")[0]
    file = frame.f_code.co_filename
    if top == _OURS and file == "<string>":  # as the constructor of a dataclass
        return True
    if top == _OURS or top in _installed_plugins():
        return False
    return top in sys.stdlib_module_names or file.startswith((*_LIBRARIES, "<frozen"))


def _module(frame: FrameType) -> str:
    name: str = frame.f_globals.get("__name__", "")
    return name


@cache
def _installed_plugins() -> frozenset[str]:
    """Return the top-level modules of all installed plugins."""
    plugins = importlib.metadata.entry_points(group=_OURS)
    return frozenset(
        Path(file).parts[0].removesuffix(".py")
        for plugin in plugins
        if plugin.dist is not None
        for file in plugin.dist.files or ()
        if file.suffix == ".py"
    )
