"""Every block of the pages is one that works."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from pages import PAGES, ROOT, blocks, file_name, lines, typed, with_blocks, words_of

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.name_lookup import (
    read_corpora,
    read_names,
    read_upstreams,
)
from nserbench.cli import main
from nserbench.cli.common.click_groups import GroupWithArgument
from nserbench.settings import KNOWN, Settings, load_settings


def commands(page: Path) -> list[list[str]]:
    """Return the words of each command of nserbench on a page."""
    typed_words = [words_of(line) for line in typed(page)]
    return [words for program, *words in typed_words if program == "nserbench"]


def parse(
    command: click.Command, words: list[str], parent: click.Context, name: str
) -> click.Context:
    """Read a command line as the program does, without running it."""
    if isinstance(command, click.Group) and not isinstance(command, GroupWithArgument):
        context = click.Context(command, parent, info_name=name)
        found, inner, rest = command.resolve_command(context, words)
        assert inner is not None
        assert found is not None
        return parse(inner, rest, context, found)
    return command.make_context(name, words, parent=parent)


def plugins_of(page: Path) -> Plugins:
    """Return all plugins, with the one that the pages show, and the page's corpora."""
    tables = [tomllib.loads(block).get("corpora", {}) for block in blocks(page, "toml")]
    own = {name: text for table in tables for name, text in table.items()}
    rms = str(ROOT / "tests/plugin/nserbench_rms.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        return Plugins([rms], Settings(corpora=own), installed=False)


NEW = re.compile(r"\bbands\b")
"""Names of plugins that the page has the reader make."""


@pytest.mark.parametrize("page", with_blocks("console"), ids=lambda page: page.name)
def test_every_command_of_a_page_can_be_typed(page: Path) -> None:
    plugins = plugins_of(page)
    for words in commands(page):
        typed = parse(main, words, click.Context(main), "nserbench").params
        if NEW.search(" ".join(words)):
            continue
        read_upstreams(typed.get("upstreams") or (), plugins)
        read_names(typed.get("downstreams") or (), plugins.downstreams.bind)
        read_corpora(typed.get("corpora") or (), [], plugins)


@pytest.mark.parametrize("page", with_blocks("toml"), ids=lambda page: page.name)
def test_every_toml_of_a_page_can_be_read(page: Path) -> None:
    for number, block in enumerate(blocks(page, "toml")):
        if tomllib.loads(block).keys() <= {*KNOWN}:
            file = Path(f"{number}.toml")
            file.write_text(block)
            load_settings(file)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page, "python")],
    ids=lambda page: page.name,
)
def test_every_python_of_a_page_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")


@pytest.mark.parametrize("page", with_blocks("bash"), ids=lambda page: page.name)
def test_every_script_of_a_page_is_bash_and_its_commands_can_be_typed(
    page: Path,
) -> None:
    for block in blocks(page, "bash"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
        joined = block.replace("\\\n", " ").splitlines()
        found = [words_of(line) for line in joined if line.startswith("nserbench ")]
        assert found
        for _, *words in found:
            parse(main, words, click.Context(main), "nserbench")


def script(page: Path) -> str:
    """Return a page as a shell script: files are written, and commands typed."""
    steps = ["set -e"]
    for block in blocks(page, "python", "toml", "console"):
        if named := file_name(block):
            steps.append(f"cat > {named} <<'END'\n{block}END")
        else:
            steps += lines(block)
    return "\n".join(steps)


@pytest.mark.slow
def test_the_page_about_plugins_works_as_it_is_printed(tmp_path: Path) -> None:
    programs, site = tmp_path / "bin", tmp_path / "site"
    programs.mkdir()
    for name in ("nserbench", "pytest", "pip"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {name} "$@"\n')
        program.chmod(0o755)
    python_path = os.pathsep.join([str(site), str(ROOT)])
    changes = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": python_path,
        # Nothing is downloaded, and nothing is installed where the tests run.
        "PIP_NO_BUILD_ISOLATION": "false",
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_TARGET": str(site),
    }

    done = subprocess.run(
        ["bash", "-c", script(ROOT / "docs/plugins.md")],
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("bands +mean +UAR", done.stdout)
    assert re.search(r"^rms .* nserbench-rms\b", done.stdout, re.MULTILINE)
