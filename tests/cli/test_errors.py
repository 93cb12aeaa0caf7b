"""Every mistake of a user gets one message and no traceback."""

import errno
import re
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import Result

from nserbench.benchmark.running.runner import Runner

Command = Callable[..., Result]
Refused = Callable[[str], str]
Process = Callable[..., subprocess.CompletedProcess[str]]

GRID = "run -u mel -d mean -c"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("run -u mle -d mean -c demo", "unknown upstream 'mle'\n  did you mean 'mel'?"),
        ("run -u mel -d men -c demo", "unknown downstream 'men'\n  did you mean 'mean"),
        (f"{GRID} emodbb", "unknown corpus 'emodbb'\n  did you mean 'emodb'?"),
        (
            f"{GRID} manifest-prak:notes.csv",
            "unknown noise 'prak'\n  did you mean 'park'?",
        ),
        (
            f"{GRID} {{notes}} --noise prak",
            "unknown noise 'prak'\n  did you mean 'park'?",
        ),
        (f"{GRID} demo --protocol prob", "unknown protocol 'prob'\n  did you mean"),
        ("run -u mel:group=x -d mean -c demo", "unknown option 'group' of upstream 'm"),
        (f"{GRID} emodb:class=all", "unknown option 'class' of corpus 'emodb'\n  did"),
        (f"{GRID} demo --epoch 3", "No such option '--epoch'. Did you mean '--epochs'"),
        ("lst", "No such command 'lst'. Did you mean 'list'?"),
    ],
)
def test_the_error_for_an_unknown_name_has_the_nearest(
    refused: Refused, notes: str, line: str, wanted: str
) -> None:
    told = refused(line.format(notes=notes))

    assert told.startswith(wanted)


def test_an_option_before_the_command_is_told_where_it_belongs(
    nserbench: Command,
) -> None:
    result = nserbench("--config a.toml list")

    assert result.exit_code == 2
    assert "write options after the command: " in result.stderr
    assert "COMMAND --config" in result.stderr


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("run -u mel: -d mean -c demo", "nothing follows the colon in 'mel:'"),
        ("run -u mel -d mean:dropout=2 -c demo", "mean:dropout=2: must be a number fr"),
        (f"{GRID} demo --snr loud", "Invalid value for '--snr': 'loud' is not a lis"),
        (f"{GRID} demo --snr nan", "Invalid value for '--snr': 'nan' is not a list o"),
        (f"{GRID} demo --snr 1e9", "Invalid value for '--snr': '1e9' is not within -"),
        (f"{GRID} demo --epochs 0", "Invalid value for '--epochs': '0' is not a whol"),
        (f"{GRID} demo --epochs 1_0", "Invalid value for '--epochs': '1_0' is not a w"),
        (f"{GRID} demo --seeds 10001", "Invalid value for '--seeds': '10001' is not a"),
        ("plot f1 --width nan", "Invalid value for '--width': 'nan' is not a num"),
        (f"{GRID} manifest", "manifest needs a file"),
        ("run -d mean -c demo", "Missing option '-u' / '--upstream', or '--grid'."),
        ("store prune", "choose what to delete: --frames, --heads, --fine"),
    ],
)
def test_the_error_for_a_bad_value_says_which_are_valid(
    refused: Refused, line: str, wanted: str
) -> None:
    assert refused(line).startswith(wanted)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("[paths", "nserbench.toml is not TOML: "),
        (
            "[path]\nemodb = 'x'",
            "nserbench.toml has the unknown table 'path'\n  did you mean 'paths'",
        ),
        ("[paths]\nemodb = 3", "nserbench.toml: 'emodb' in [paths] must be a path"),
        ("paths = 3", "nserbench.toml: 'paths' must be a table: write [paths]"),
    ],
)
@pytest.mark.parametrize("command", ["list", "status", "store ls", "leaderboard"])
def test_every_command_names_broken_settings(
    refused: Refused, command: str, content: str, wanted: str
) -> None:
    Path("nserbench.toml").write_text(content)

    assert refused(command).startswith(wanted)


@pytest.mark.parametrize(
    "line",
    [
        f"{GRID} demo --store hiss.wav/x",
        "{grid} --store hiss.wav/x",
        "{grid} --out hiss.wav/x",
        "mix -c {notes} -o hiss.wav/x",
    ],
)
def test_a_folder_that_cannot_be_written_is_reported_before_the_work(
    nserbench: Command, notes: str, line: str
) -> None:
    result = nserbench(line.format(grid=f"{GRID} {notes}", notes=notes))

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: hiss.wav/x")
    assert (
        ": Not a directory\n  fix the path or free disk space, then rerun"
        in result.stderr
    )
    command = line.format(grid=f"{GRID} {notes}", notes=notes)
    assert result.stderr.endswith(f" nserbench {command}\n")


def test_an_error_that_names_no_file_is_still_said_to_be_of_a_file(
    nserbench: Command, notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.EIO, "Input/output error")
    monkeypatch.setattr(Runner, "run", Mock(side_effect=error))

    result = nserbench(f"{GRID} {notes}")

    assert result.exit_code == 1
    assert "Error: a file cannot be read or written: Input/output" in result.stderr


@pytest.mark.parametrize("kind", [EOFError, KeyboardInterrupt])
def test_an_error_that_click_would_hide_is_shown(
    nserbench: Command,
    notes: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[BaseException],
) -> None:
    error = kind("marshal data too short")
    monkeypatch.setattr(Runner, "run", Mock(side_effect=error))
    monkeypatch.setattr(
        "nserbench.cli.common.click_groups._is_stop", lambda error: False
    )

    result = nserbench(f"{GRID} {notes}")

    assert "Aborted!" not in result.stderr
    assert f"{kind.__name__}: marshal data too short" in repr(result.exception)


@pytest.mark.parametrize(
    "line", [f"{GRID} demo", "mix -c {notes} -o noisy", f"{GRID} {{notes}}"]
)
def test_a_full_disk_gets_one_message(
    process: Process, notes: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python does not notice that the limit cuts off a compiled module.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files fails a write where a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    try:
        answer = process(line.format(notes=notes))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert len(re.findall("^Error: ", answer.stderr, flags=re.MULTILINE)) == 1
    assert "free disk space, then rerun; finished results are kept" in answer.stderr


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_mod"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (
            "import nserbench\n@nserbench.hookimpl\ndef nserbench_upstream(): ...",
            "unknown hook nserbench_upstream (mine.py, line 2)",
        ),
    ],
)
def test_a_broken_plugin_is_named(refused: Refused, content: str, wanted: str) -> None:
    Path("mine.py").write_text(content)

    told = refused("list --plugin mine.py")

    assert told.startswith(f"plugin mine.py cannot be used: {wanted}")


def test_a_missing_plugin_is_named(refused: Refused) -> None:
    told = refused("list --plugin mine.py")

    assert told.startswith("plugin mine.py cannot be used: mine.py is not a file")


def test_an_unknown_device_is_named(refused: Refused, notes: str) -> None:
    told = refused(f"{GRID} {notes} --device abacus")

    assert told.startswith("device 'abacus' cannot be used: ")


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_grid_without_any_possible_cell_says_why(
    refused: Refused, notes: str, command: str
) -> None:
    told = refused(f"{command} -u mel -d ladapter,attention -c {notes}")

    assert told == (
        "no cell can exist\n"
        "  mel x ladapter: mel has one layer: nothing to fuse\n"
        "  mel x attention: mel has one layer: nothing to fuse\n"
    )


def test_a_bug_of_the_program_keeps_its_traceback(
    nserbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A function of the standard library, since one of this file would be a plugin's.
    fail = Mock(side_effect=ValueError("a mistake of ours"))
    monkeypatch.setattr("nserbench.benchmark.plugins.registry.Plugins", fail)

    result = nserbench("list")

    assert isinstance(result.exception, ValueError)
