"""Write the parts of pages that come from the code: help, hooks, the example plugin.

``python docs/generate.py`` writes them; ``--check`` only says whether they are right.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from nserbench import hookspecs
from nserbench.cli import main as cli

DOCS = Path(__file__).parent
WIDTH = 88  # characters, so that a page reads the same whatever the terminal
ROOT = DOCS.parent


def commands(context: click.Context) -> Iterator[click.Context]:
    """Give a command and, where it is a group, those below it."""
    yield context
    command = context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (below := command.get_command(context, name)) and not below.hidden:
                yield from commands(_context(below, name, context))


def cli_reference() -> str:
    """Give a heading and the help for every command."""
    return "\n\n".join(
        f"## `{context.command_path}`\n\n```text\n{context.get_help()}\n```"
        for context in commands(_context(cli, "nserbench", None))
    )


def hook_reference() -> str:
    """Give a heading with the exact signature, and the docstring, for every hook."""
    return "\n\n".join(
        f"### `{hook.__name__}{signature(hook)}`\n\n{_markdown(inspect.getdoc(hook))}"
        for hook in vars(hookspecs).values()
        if hasattr(hook, "nserbench_spec")
    )


def signature(hook: Callable[..., object]) -> str:
    """Write a signature as it stands in the source."""
    return str(inspect.signature(hook)).replace("'", "")


def example() -> str:
    """Give the whole example plugin, file by file."""
    files = sorted((ROOT / "tests" / "plugin").glob("*.py"))
    return "\n\n".join(
        f"```python\n# {file.name}\n{file.read_text(encoding='utf-8')}```"
        for file in files
    )


def filled(file: Path, blocks: Mapping[str, str]) -> str:
    """Give a page's text with new content between the marks of each block.

    Raises:
        ValueError: if the page does not have the marks of a block once.
    """
    text = file.read_text(encoding="utf-8")
    for name, content in blocks.items():
        start, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        if (text.count(start), text.count(end)) != (1, 1):
            raise ValueError(f"{file} must hold {start} and {end}, once each")
        before, rest = text.split(start)
        text = f"{before}{start}\n\n{content}\n\n{end}{rest.split(end)[1]}"
    return text


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` name those that are out of date."""
    pages = {
        DOCS / "cli.md": {"cli": cli_reference()},
        DOCS / "plugins.md": {"plugin": example(), "hooks": hook_reference()},
        ROOT / "README.md": {"plugin": example()},
    }
    stale = 0
    for file, blocks in pages.items():
        wanted = filled(file, blocks)
        if wanted == file.read_text(encoding="utf-8"):
            continue
        if "--check" in arguments:
            print(f"{file} is out of date: run `make docs`", file=sys.stderr)
            stale = 1
        else:
            file.write_text(wanted, encoding="utf-8")
    return stale


def _context(
    command: click.Command, name: str, parent: click.Context | None
) -> click.Context:
    return click.Context(command, parent, info_name=name, terminal_width=WIDTH)


def _markdown(docstring: str | None) -> str:
    """Turn a Google docstring into Markdown: sections in bold, their text flush."""
    text = (docstring or "").replace("``", "`")
    text = re.sub(r"^(\w+):$", r"**\1:**\n", text, flags=re.MULTILINE)
    return re.sub(r"^ {4,}", "", text, flags=re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
