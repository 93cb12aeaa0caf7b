"""Write the parts of pages that come from the code: help, cards, heads, the example.

``python docs/generate.py`` writes them; ``--check`` only names outdated pages.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import scaling
from card_facts import card_facts, head_facts

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import Card
from nserbench.cli import main as cli
from nserbench.upstreams.opensmile.cards import FUNCTIONALS

DOCS = Path(__file__).parent
WIDTH = 88  # characters of a line, whatever the width of the terminal
ROOT = DOCS.parent
PAGES = {
    "conformer": ("conformer-small",),
    "enhancers": ("convtasnet", "convtasnet-mel", "dccrn", "dccrn-mel"),
    "functionals": tuple(card.name for card in FUNCTIONALS),
    "whisper": ("whisper-enc", "whisper-dec", "whisper-en", "whisper-cn"),
}
"""Pages that describe other names than their own, with these names."""

SHARED = {name: page for page, names in PAGES.items() for name in names}


def commands(context: click.Context) -> Iterator[click.Context]:
    """Yield the context of a command and of all its subcommands."""
    yield context
    command = context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            if subcommand and not subcommand.hidden:
                yield from commands(_context(subcommand, name, context))


def cli_reference() -> str:
    """Return a heading and the help for every command."""
    return "\n\n".join(
        f"## `{context.command_path}`\n\n```text\n{context.get_help()}\n```"
        for context in commands(_context(cli, "nserbench", None))
    )


def example() -> str:
    """Return the example plugin, file by file."""
    files = sorted((ROOT / "tests" / "plugin").glob("*.py"))
    return "\n\n".join(
        f"```python\n# {file.name}\n{file.read_text(encoding='utf-8')}```"
        for file in files
    )


def project() -> str:
    """Return the pyproject.toml of the example plugin."""
    file = ROOT / "tests" / "plugin" / "pyproject.toml"
    return f"```toml\n# {file.name}\n{file.read_text(encoding='utf-8')}```"


def card_pages() -> dict[Path, dict[str, str]]:
    """Return the facts of all upstreams, enhancers, corpora and heads, by page."""
    plugins = Plugins(installed=False)
    cards_by_page: dict[Path, list[Card]] = defaultdict(list)
    for folder, registry in (
        ("upstreams", plugins.upstreams),
        ("upstreams", plugins.enhancers),
        ("corpora", plugins.corpora),
    ):
        for card in registry:
            name = SHARED.get(card.name, card.name)
            cards_by_page[DOCS / folder / f"{name}.md"].append(card)
    pages = {page: {"card": card_facts(cards)} for page, cards in cards_by_page.items()}
    return {**pages, DOCS / "reference/heads.md": head_facts(plugins)}


def filled(file: Path, blocks: Mapping[str, str]) -> str:
    """Return the text of a page with new content between the marks of each block.

    Raises:
        ValueError: if the page does not have the two marks of a block once each.
    """
    text = file.read_text(encoding="utf-8")
    for name, content in blocks.items():
        start, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        if (text.count(start), text.count(end)) != (1, 1):
            raise ValueError(f"{file} must have {start} and {end} once each")
        before, rest = text.split(start)
        text = f"{before}{start}\n\n{content}\n\n{end}{rest.split(end)[1]}"
    return text


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` print those that are out of date."""
    pages = {
        **card_pages(),
        DOCS / "cli.md": {"cli": cli_reference()},
        DOCS / "plugins.md": {"plugin": example(), "project": project()},
        DOCS / "scaling.md": {
            "costs": scaling.costs_table(),
            "workers": scaling.scaling_table(),
        },
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
    settings = command.context_settings  # such as -h for help
    return click.Context(
        command, parent, info_name=name, terminal_width=WIDTH, **settings
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
