"""The software and device that made features or a trained head."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache

from nserbench.benchmark.results.environment import PACKAGES, device_name
from nserbench.cards import Card
from nserbench.distributions import distributions_of

MADE_BY = "made_by"
"""The field of stored features and heads that holds their software, as JSON."""


def made_by(card: Card, device: str) -> str:
    """Return the versions of all packages behind a card and the device, as JSON."""
    names = [*PACKAGES, *_of_extra(card.extra), *_of_plugin(card.target)]
    versions = {name: _version(name) for name in names}
    known = {name: value for name, value in versions.items() if value is not None}
    return json.dumps({**known, "device": device_name(device)}, sort_keys=True)


def distinct(makers: Iterable[str]) -> list[Mapping[str, str]]:
    """Return what `made_by` returned, each once."""
    return [json.loads(text) for text in sorted(set(makers))]


def differences(makers: Iterable[Mapping[str, str]]) -> str:
    """Return in which versions several makers differ, as ``torch 2.12 | 2.13``."""
    known = list(makers)
    names = dict.fromkeys(name for maker in known for name in maker)
    values = {name: [str(maker.get(name, "none")) for maker in known] for name in names}
    return ", ".join(
        f"{name} {' | '.join(dict.fromkeys(versions))}"
        for name, versions in values.items()
        if len(set(versions)) > 1
    )


@cache
def _version(name: str) -> str | None:
    """Return the version of a package, read once: its metadata takes milliseconds."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def _of_extra(extra: str | None) -> tuple[str, ...]:
    if extra is None:
        return ()
    wanted = re.compile(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]")
    requirements = importlib.metadata.requires("nserbench") or []
    return tuple(
        name[0]
        for text in requirements
        if wanted.search(text) and (name := re.match(r"[\w.-]+", text))
    )


def _of_plugin(load: str) -> tuple[str, ...]:
    """Return the distributions that the module of a plugin's card comes from."""
    top = load.partition(":")[0].partition(".")[0]
    return () if top == "nserbench" else distributions_of(top)
