"""Bring about faults while the real program runs, and write what was seen to a table.

``--only TEXT --seed SEED --times 1`` repeats one attempt.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from random import Random, SystemRandom

import click
import faults
from faults.fault import Fault, NotPossible, Seen

from nserbench.matmul_trial import processor

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults -->", "<!-- end: faults -->"
HEADER = (
    "| fault | tried | lost | what the user saw | failures |\n|---|---:|---|---|---:|"
)


@dataclass
class Tried:
    """What all attempts of a fault showed.

    Attributes:
        fault: The fault.
        times: Number of attempts.
        seen: What each attempt showed that kept all promises.
        failures: Why each of the others did not.
        impossible: What this machine lacks for the fault; empty if it lacks nothing.
    """

    fault: Fault
    times: int
    seen: list[Seen] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    impossible: str = ""

    def row(self) -> str:
        """Return the row of the table."""
        tried = len(self.seen) + len(self.failures)
        lost = _ranges([one.lost for one in self.seen])
        messages = Counter(one.message for one in self.seen if one.message)
        message = next((text for text, _ in messages.most_common(1)), "")
        message = f"left out: {self.impossible}" if self.impossible else message
        cells = [self.fault.name, tried, lost, message, len(self.failures)]
        texts = [re.sub(r"[|<>]", r"\\\g<0>", str(cell)) for cell in cells]
        return f"| {' | '.join(texts)} |"


def _ranges(texts: Iterable[str]) -> str:
    """Join texts that differ in their first number, as ``0 to 3 of 80 utterances``."""
    numbers: dict[str, list[int]] = {}
    others: dict[str, None] = {}
    for text in filter(None, texts):
        number, _, rest = text.partition(" ")
        if number.isdigit():
            numbers.setdefault(rest, []).append(int(number))
        else:
            others[text] = None
    parts = []
    for rest, found in numbers.items():
        low, high = min(found), max(found)
        parts.append(f"{low} to {high} {rest}" if low < high else f"{low} {rest}")
    return "; ".join([*parts, *others]) or "nothing"


def all_faults() -> list[Fault]:
    """Return the faults of all modules in `faults`."""
    names = [module.name for module in pkgutil.iter_modules(faults.__path__)]
    modules = [importlib.import_module(f"faults.{name}") for name in names]
    return [fault for module in modules for fault in getattr(module, "FAULTS", ())]


def attempt(tried: Tried, seed: int) -> None:
    """Bring a fault about once, and keep what it showed."""
    fault = tried.fault
    folder = Path(tempfile.mkdtemp(prefix="nserbench-fault-"))
    began = time.perf_counter()
    try:
        seen = fault.attempt(folder, Random(f"{fault.name} {seed}"))
    except NotPossible as error:
        tried.impossible = outcome = str(error)
    except Exception as error:  # noqa: BLE001 - counted and printed as a failure
        outcome = f"FAILED: {type(error).__name__}: {error}"
        tried.failures.append(outcome)
    else:
        message = seen.message.replace(str(folder), "…")
        tried.seen.append(Seen(seen.lost, message))
        outcome = "; ".join(filter(None, [seen.lost, message])) or "nothing lost"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.perf_counter() - began
    click.echo(f"{fault.name}, seed {seed}, {seconds:.1f} s: {outcome}")


def tables(found: Sequence[Tried]) -> dict[str, dict[str, str]]:
    """Return the rows by group and name of the fault."""
    rows: dict[str, dict[str, str]] = {}
    for tried in found:
        rows.setdefault(tried.fault.group, {})[tried.fault.name] = tried.row()
    return rows


def write(found: Sequence[Tried], page: Path, *, all_of_them: bool) -> None:
    """Write the tables into a page.

    Args:
        found: What the attempts showed.
        page: Page with both markers.
        all_of_them: Whether the page keeps no row of another fault.
    """
    before, _, rest = page.read_text().partition(BEGIN)
    old, _, after = rest.partition(END)
    rows = {} if all_of_them else _rows_of(old)
    for group, new in tables(found).items():
        rows.setdefault(group, {}).update(new)
    parts = [
        f"### {group}\n\n{HEADER}\n" + "\n".join(rows[group].values())
        for group in sorted(rows)
    ]
    today = datetime.now(UTC).date()
    where = f"{processor()}, {cpu_count()} cores, {today}."
    text = "\n\n".join([f"The last run: {where}", *parts])
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _rows_of(text: str) -> dict[str, dict[str, str]]:
    """Return the rows of tables that `write` has written."""
    rows: dict[str, dict[str, str]] = {}
    for section in text.split("### ")[1:]:
        group, _, table = section.partition("\n")
        lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
        rows[group] = {line.split(" | ")[0][2:]: line for line in lines}
    return rows


@click.command()
@click.option("--quick", is_flag=True, help="Only the few attempts of `make test`.")
@click.option(
    "--only", default="", metavar="TEXT", help="Faults with TEXT in the name."
)
@click.option("--seed", type=int, help="Seed of the first attempt; default: any.")
@click.option("--times", type=click.IntRange(1), help="Attempts of each fault.")
@click.option("--minutes", type=float, help="Start no attempt after this time.")
@click.option("--write", "save", is_flag=True, help="Write the tables to the docs.")
def main(
    quick: bool,
    only: str,
    seed: int | None,
    times: int | None,
    minutes: float | None,
    save: bool,
) -> None:
    """Bring about faults while the real program runs; exit code 1 if one does harm."""
    first = SystemRandom().randrange(1_000_000) if seed is None else seed
    found = [
        Tried(fault, fault.quick if quick else times or fault.times)
        for fault in all_faults()
        if only.lower() in f"{fault.group}: {fault.name}".lower()
    ]
    end = math.inf if minutes is None else time.monotonic() + 60 * minutes
    for index in range(max((tried.times for tried in found), default=0)):
        for tried in found:  # so that a run that ends early has tried all of them
            if index < tried.times and time.monotonic() < end and not tried.impossible:
                attempt(tried, first + index)
    for rows in tables(found).values():
        click.echo("\n".join(rows.values()))
    if save:
        write(found, PAGE, all_of_them=not only)
    if any(tried.failures for tried in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
