"""``nserbench new-plugin``: write a small plugin to begin with."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import click

from nserbench.api.session import Session
from nserbench.cli.common.session import with_session
from nserbench.errors import BadSpec
from nserbench.settings import variable

if TYPE_CHECKING:
    from nserbench.benchmark.plugins.registry import Registry

RUNS = {
    "upstream": "-u $name -d mean -c demo",
    "downstream": "-u mel -d $name -c demo",
    "corpus": "-u mel -d mean -c $name",
    "noise": "-u mel -d mean -c demo-$name",
    "enhancer": "-u mel:enhance=$name -d mean -c demo-park",
}
"""What `nserbench run` takes to try a plugin of each kind."""
REMARKS = {
    "downstream": "`demo` trains heads on frames for 8 epochs only, so a low score "
    "there says nothing\nabout the head. `--epochs 40` trains it for longer.\n\n"
}
"""What the README says of the first score, by kind."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40  # characters of a name
_WORDS = ("clean", "demand", "joint", "reference")  # they mean something in options


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(RUNS)),
    required=True,
    help="What the plugin adds.",
)
@with_session
def new_plugin(session: Session, name: str, kind: str) -> None:
    """Write a small plugin that works, to begin with.

    It has one module, a test, a README and what `pip install` needs. It works as it
    is: change the code until it does what you want.

    \b
    nserbench new-plugin bands --kind upstream
    """
    _refuse_name(name, kind, session)
    content = _files(name, kind)
    folder = Path(f"nserbench-{name}")
    if folder.exists():
        raise BadSpec(f"{folder} is already there\n  choose another name, or delete it")
    folder.mkdir()
    for file, text in content.items():
        (folder / file).write_text(text, encoding="utf-8")
    commands = re.findall(
        r"^\$ ((?:nserbench|export) .*)$", content["README.md"], re.MULTILINE
    )
    module = next(iter(content))
    lines = "\n  ".join(commands).replace(module, f"{folder}/{module}")
    click.echo(f"{folder}: {', '.join(content)}\n\nto try it:\n  {lines}")


def _files(name: str, kind: str) -> Mapping[str, str]:
    """Return the text of each file of a new plugin, by its name."""
    words = {
        "name": name,
        "kind": kind,
        "folder": f"nserbench-{name}",
        "identifier": name.replace("-", "_"),
        "module": f"nserbench_{name.replace('-', '_')}",
        "class_name": _class_name(name),
        "variable": variable(name),
        "export": f"$ export {variable(name)}=FOLDER\n" if kind == "corpus" else "",
        "remark": REMARKS.get(kind, ""),
        "run": Template(RUNS[kind]).substitute(name=name),
    }
    test = "test_corpus" if kind == "corpus" else "test"
    templates = {
        f"{words['module']}.py": f"{kind}.py",
        f"test_{words['module']}.py": f"{test}.py",
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
    }
    folder = files("nserbench.cli") / "templates"
    return {
        file: Template(
            (folder / f"{template}.txt").read_text(encoding="utf-8")
        ).substitute(words)
        for file, template in templates.items()
    }


def _class_name(name: str) -> str:
    """Return the name of a class, as `SpectralGate` for ``spectral-gate``."""
    return "".join(part.capitalize() for part in name.split("-"))


def _refuse_name(name: str, kind: str, session: Session) -> None:
    """Refuse a name that cannot be typed, or that is in use.

    Raises:
        BadSpec: if it has other characters, is too long, or is known.
    """
    fits = _NAME.fullmatch(name) and len(name) <= _LONGEST
    if not fits or keyword.iskeyword(_class_name(name)) or name in _WORDS:
        raise BadSpec(
            f"{name!r} cannot be the name of a plugin\n"
            "  use small letters and digits, joined by single hyphens, such as "
            f"spectral-gate; at most {_LONGEST} characters; not {', '.join(_WORDS)}"
        )
    plugins = session.plugins
    registries: Mapping[str, Registry[Any]] = {
        registry.kind: registry
        for registry in (
            plugins.upstreams,
            plugins.downstreams,
            plugins.corpora,
            plugins.noises,
            plugins.enhancers,
        )
    }
    if name in registries[kind]:
        origin = registries[kind].origin(name)
        raise BadSpec(
            f"the {kind} {name!r} is there already ({origin})\n  choose another name"
        )
