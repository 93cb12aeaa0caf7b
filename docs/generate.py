"""Write the parts of pages that come from the code: help, hooks, cards, the example.

``python docs/generate.py`` writes them; ``--check`` only names outdated pages.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import click
import scaling

import nserbench
from nserbench.benchmark.plugins import hookspecs
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import Card
from nserbench.cli import main as cli
from nserbench.corpora.base import CorpusCard
from nserbench.upstreams.loading.hub import PINNED
from nserbench.upstreams.model_card import ModelCard
from nserbench.upstreams.opensmile.cards import FUNCTIONALS

DOCS = Path(__file__).parent
WIDTH = 88  # characters of a line, whatever the width of the terminal
ROOT = DOCS.parent
UNPINNED = "no commit is pinned: the head of its main branch"
PUBLISHABLE = {
    True: "may be published with ids, speakers and labels",
    False: "may not be published with ids, speakers and labels",
    None: "the user must know whether they may be published",
}
PAGES = {
    "conformer": ("conformer-small",),
    "enhancers": ("convtasnet", "convtasnet-mel", "dccrn", "dccrn-mel"),
    "functionals": tuple(card.name for card in FUNCTIONALS),
    "whisper": ("whisper-enc", "whisper-dec", "whisper-en", "whisper-cn"),
}
"""Pages that describe other names than their own, with these names."""

PYTHON = (
    *("run", "load_results", "leaderboard", "features", "get_upstream"),
    *("corpus", "mix"),
)
"""The functions of Python, in the order of use."""

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


def hook_reference() -> str:
    """Return a heading with the signature, and the docstring, for every hook."""
    return "\n\n".join(
        f"### `{hook.__name__}{signature(hook)}`\n\n{_markdown(inspect.getdoc(hook))}"
        for hook in vars(hookspecs).values()
        if hasattr(hook, "nserbench_spec")
    )


def python_reference() -> str:
    """Return a heading, the arguments and the docstring for each function of Python."""
    found = [getattr(nserbench, name) for name in PYTHON]
    functions = [getattr(one, "leaderboard", one) for one in found]  # it is a package
    return "\n\n".join(
        f"### `nb.{name}`\n\n```text\n{_call(name, function)}\n\n"
        f"{(inspect.getdoc(function) or '').replace('``', '')}\n```"
        for name, function in zip(PYTHON, functions, strict=True)
    )


def _call(name: str, function: Callable[..., object]) -> str:
    """Return how a function is called, with the default of each argument."""
    parameters = inspect.signature(function).parameters.values()
    named = [one.replace(annotation=one.empty) for one in parameters]
    return textwrap.fill(
        f"nb.{name}{inspect.Signature(named)}", WIDTH, subsequent_indent="    "
    )


def signature(hook: Callable[..., object]) -> str:
    """Return the signature of a hook as in the source."""
    return str(inspect.signature(hook)).replace("'", "")


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


def card_facts(cards: Iterable[Card]) -> str:
    """Return a heading, the facts and the options of each card."""
    return "\n\n".join("\n".join(_card(card)) for card in cards)


def _card(card: Card) -> Iterator[str]:
    yield f"**`{card.name}`**: {card.summary}\n"
    options = card.all_options()
    facts = {"source": card.source, "licence": card.licence}
    if "checkpoint" in options and (default := options["checkpoint"].default):
        commit = f"commit `{PINNED[default]}`" if default in PINNED else UNPINNED
        facts["checkpoint"] = f"`{default}`, {commit}"
    if isinstance(card, ModelCard):
        facts["trained on"] = card.default_training_data()
    if card.extra:
        facts["needs"] = f"`pip install 'nserbench[{card.extra}]'`"
    if isinstance(card, CorpusCard):
        facts["predictions"] = PUBLISHABLE[card.publishable]
        facts |= {"to get it": card.obtain, "protocol": f"`{card.protocol}`"}
    yield "| | |\n|---|---|"
    yield from (f"| {name} | {fact} |" for name, fact in facts.items())
    yield "\n| option | meaning | default |\n|---|---|---|"
    for key, option in options.items():
        default = "" if option.default is None else f"`{option.shown(option.default)}`"
        yield f"| `{key}=` | {option.help} | {default} |"


def card_pages() -> dict[Path, dict[str, str]]:
    """Return the facts of all upstreams, enhancers and corpora, by page."""
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
    return {page: {"card": card_facts(cards)} for page, cards in cards_by_page.items()}


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
        DOCS / "python.md": {"python": python_reference()},
        DOCS / "plugins.md": {
            "plugin": example(),
            "project": project(),
            "hooks": hook_reference(),
        },
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


def _markdown(docstring: str | None) -> str:
    """Return a Google docstring as Markdown, with section names in bold."""
    text = (docstring or "").replace("``", "`")
    text = re.sub(r"^(\w+):$", r"**\1:**\n", text, flags=re.MULTILINE)
    return re.sub(r"^ {4,}", "", text, flags=re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
