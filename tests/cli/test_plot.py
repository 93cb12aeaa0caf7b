import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nserbench.cli.common.click_groups import Commands
from nserbench.cli.plot import FIGURES, plot
from nserbench.leaderboard.plots.make import KINDS

Command = Callable[[str], Result]


@pytest.fixture
def nserbench() -> Command:
    """Return a function that runs a command line whose one command is plot."""
    group = Commands(commands=[plot])

    def call(line: str) -> Result:
        return CliRunner().invoke(group, shlex.split(line), prog_name="nserbench")

    return call


def test_its_figures_are_all_kinds_of_figure() -> None:
    assert tuple(KINDS) == FIGURES


def test_a_figure_is_written_and_its_protocol_printed(
    nserbench: Command, finished: Path
) -> None:
    told = nserbench(f"plot confusion {finished}/results -u mel -d mean -o a.svg")

    assert told.exit_code == 0, told.output
    *protocols, last = told.stdout.splitlines()
    assert last == "written: a.svg"
    assert [one.partition(" on ")[0] for one in protocols] == [
        "protocol probe+epochs=1 v2"
    ]
    drawn = Path("a.svg").read_text()
    for word in ("low", "high", "true class", "hiss@0", "clean"):
        assert f">{word}<" in drawn or word in drawn


def test_by_default_it_is_a_pdf_in_the_working_folder(
    nserbench: Command, finished: Path
) -> None:
    told = nserbench(f"plot pareto {finished}/results --metric uar --width 7")

    assert told.exit_code == 0, told.output
    assert Path("pareto.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("plot snr {0}", "nothing to draw for snr: it takes two SNRs or more"),
        ("plot snr {0} -u mell", "unknown upstream 'mell'\n  did you mean 'mel'?"),
        ("plot snr {0} --metric uar,f1", "give one metric"),
        ("plot snr {0} --metric ua", "unknown metric 'ua'"),
        ("plot snr {0} -o a.doc", "endings: .pdf, .png, .svg"),
        ("plot snr nowhere", "nowhere is not a folder"),
        ("plot bars {0}", "'bars' is not one of"),
        ("plot confusion {0} -o no/a.pdf", "no/a.pdf: No such file or directory"),
    ],
)
def test_a_figure_that_cannot_be_drawn_gets_one_message(
    options: str, told: str, nserbench: Command, finished: Path
) -> None:
    result = nserbench(options.format(finished / "results"))

    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    assert told in result.stderr


def test_its_help_imports_no_heavy_library() -> None:
    code = (
        "import sys; from nserbench.cli.plot import plot; "
        "print([m for m in ('torch', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert told.stdout == "[]\n"
