"""The examples of the reference work as they are printed."""

import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner
from pages import EXAMPLES, blocks, file_name, typed, words_of

from nserbench.cli import main


def run(line: str, patch: pytest.MonkeyPatch) -> str:
    """Do what a line says that is typed in a shell, and return what it prints."""
    program, *words = words_of(line)
    if program == "export":
        name, _, value = words[0].partition("=")
        patch.setenv(name, value)
        return ""
    if program == "python":
        runpy.run_path(words[0])
        return ""
    assert program == "nserbench"
    done = CliRunner().invoke(main, words, prog_name=program)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.stem)
def test_an_example_works_as_it_is_printed(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path.cwd())
    lines = list(typed(page))

    for block in blocks(page, "python"):
        if name := file_name(block):
            Path(name).write_text(block)
    printed = "\n".join(run(line, monkeypatch) for line in lines)

    checked = [line.split()[2] for line in lines if line.startswith("nserbench check")]
    assert checked
    assert printed.count("check  ") >= len(checked)
    assert " NO " not in printed
