"""A robustness table as a terminal shows it."""

import io

from rich.console import Console

from nserbench.leaderboard.analysis.robustness_measures import RobustnessTable
from nserbench.leaderboard.render.robustness_sheet import robustness_layout
from nserbench.leaderboard.render.text import print_table


def printed(table: RobustnessTable, width: int = 100) -> str:
    """Return the text of a table, without spaces at the ends of lines."""
    file = io.StringIO()
    print_table(robustness_layout(table), Console(width=width, file=file))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
