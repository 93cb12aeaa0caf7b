"""Find functions of a plugin that look like hooks and would never be called."""

from __future__ import annotations

import difflib
from inspect import isfunction, ismethod
from pathlib import Path
from types import FunctionType, MethodType
from typing import TypeAlias

from nserbench.benchmark.plugins import hookspecs
from nserbench.errors import BadPlugin

_PREFIX = "nserbench_"
_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(_PREFIX))
_MARK = f"{_PREFIX}impl"  # the attribute that `hookimpl` sets

_Hook: TypeAlias = FunctionType | MethodType


def refuse_wrong_hooks(plugin: object) -> None:
    """Refuse a hook that is misspelt or not marked: it would be ignored.

    Args:
        plugin: A module, or an object whose methods are hooks.

    Raises:
        BadPlugin: if a marked function is not a hook, one whose name begins with
            ``nserbench_`` is not marked, or there is no hook.
    """
    found = 0
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        if not (isfunction(function) or ismethod(function)):
            continue
        options = getattr(function, _MARK, None)
        if options is not None:
            _refuse_unknown(options["specname"] or name, function)
            found += 1
        elif name.startswith(_PREFIX):
            _refuse_unmarked(name, function)
    if not found:
        raise BadPlugin(
            "it has no hook\n  write one, marked with @nserbench.hookimpl: "
            f"{', '.join(_HOOKS)}"
        )


def _refuse_unknown(name: str, function: _Hook) -> None:
    if name in _HOOKS:
        return
    near = difflib.get_close_matches(name, _HOOKS, n=1)
    told = f"did you mean {near[0]}?\n  " if near else ""
    raise BadPlugin(
        f"unknown hook {name} ({_place(function)})\n  {told}known: {', '.join(_HOOKS)}"
    )


def _refuse_unmarked(name: str, function: _Hook) -> None:
    _refuse_unknown(name, function)
    raise BadPlugin(
        f"{name} is not marked as a hook ({_place(function)})\n"
        "  write @nserbench.hookimpl in the line above it"
    )


def _place(function: _Hook) -> str:
    code = function.__code__
    return f"{Path(code.co_filename).name}, line {code.co_firstlineno}"
