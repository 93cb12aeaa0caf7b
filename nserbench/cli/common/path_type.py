"""Type of options and arguments that are paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nserbench.paths import user_path


class UserPath(click.Path):
    """A path, in which ``~`` and ``$VARIABLE`` are replaced.

    A shell replaces them as well, but not behind ``=``, in quotes, or where a program
    calls nserbench.
    """

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Return the path that a user wrote."""
        return super().convert(user_path(value), param, ctx)
