"""Which library multiplies matrices faster on this machine, found by a trial.

A trial takes milliseconds, and is made once on a machine for each size of the factors.
Its outcome is kept in the folder of the default store, so that all processes of a
machine multiply in the same way and return the same bits. ``NSERBENCH_MATMUL`` set to
``onednn`` or ``torch`` replaces the trials.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor

from nserbench.errors import BadSettings
from nserbench.settings import PREFIX, Settings

Way = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Returns ``values @ weight.t() + bias`` of its arguments, by one of the libraries."""

VARIABLE = f"{PREFIX}MATMUL"
LIBRARIES = ("onednn", "torch")
_MOST_ROWS = 512  # of the left factor in a trial
_ROUNDS, _SHORTEST = 5, 2e-4  # seconds that one measurement takes at least
_TABLE = "CREATE TABLE IF NOT EXISTS faster (product TEXT PRIMARY KEY, library TEXT)"
_outcomes: dict[str, str] = {}
_one_at_a_time = Lock()


class Product(NamedTuple):
    """What decides which library is faster; sizes are rounded up to powers of two.

    Attributes:
        rows: Bits of the number of rows of the left factor, minus one.
        inner: Bits of the dimension that both factors have, minus one.
        columns: Bits of the number of columns of the product, minus one.
        left: Whether the left factor is contiguous, and not transposed.
        weight: Whether the transposed right factor is contiguous.
        reordered: Whether the right factor has an order of oneDNN.
        threads: Number of threads.
    """

    rows: int
    inner: int
    columns: int
    left: bool
    weight: bool
    reordered: bool
    threads: int

    @classmethod
    def of(cls, values: Tensor, weight: Tensor, *, reordered: bool) -> Product:
        """Return the product of ``(..., k)`` and the transposed ``(m, k)``."""
        columns, inner = weight.shape
        return cls(
            (values.numel() // max(inner, 1) - 1).bit_length(),
            (inner - 1).bit_length(),
            (columns - 1).bit_length(),
            values.is_contiguous(),
            weight.is_contiguous(),
            reordered,
            torch.get_num_threads(),
        )

    @property
    def name(self) -> str:
        """Its name in the provenance of a result."""
        layouts = {
            "left factor transposed": not self.left,
            "right factor transposed": not self.weight,
            "right factor reordered": self.reordered,
        }
        sizes = " x ".join(str(1 << bits) for bits in self[:3])
        threads = f"{self.threads} {'thread' if self.threads == 1 else 'threads'}"
        return ", ".join(
            [sizes, *(name for name, so in layouts.items() if so), threads]
        )


def find_fastest(
    product: Product, calls: Mapping[str, Callable[[Tensor], object]], values: Tensor
) -> str:
    """Return the library that multiplies factors of this size the fastest.

    Args:
        product: The size.
        calls: By library, what multiplies its argument with the right factor.
        values: The left factor, ``(..., k)``.

    Raises:
        BadSettings: if the user asks for a library that does not exist.
    """
    if (library := wanted()) is not None:
        return library
    left = values.flatten(0, -2)[:_MOST_ROWS]
    with _one_at_a_time:
        if product.name not in _outcomes:
            tries = {name: partial(call, left) for name, call in calls.items()}
            _outcomes[product.name] = _shared(product.name, partial(_trial, tries))
        return _outcomes[product.name]


def wanted() -> str | None:
    """Return the library that the user asks for; None for the faster one."""
    value = os.environ.get(VARIABLE, "auto")
    if value not in ("auto", *LIBRARIES):
        raise BadSettings(
            f"{VARIABLE}={value} is unknown\n"
            f"  set it to auto, {' or '.join(LIBRARIES)}, or remove it"
        )
    return value if value in LIBRARIES else None


def outcomes() -> dict[str, str]:
    """Return the library of each size of product that this process multiplied."""
    library = wanted()
    return {"all": library} if library is not None else dict(sorted(_outcomes.items()))


def _trial(calls: Mapping[str, Callable[[], object]]) -> str:
    """Call each in turn; return the name of the one with the shortest time.

    Other work on the machine makes measurements longer, never shorter.
    """
    repeats = {}
    for library, call in calls.items():
        call()  # the first call sets the library up
        repeats[library] = 1 + int(_SHORTEST / _seconds(call, 1))
    shortest = dict.fromkeys(calls, float("inf"))
    for _ in range(_ROUNDS):
        for library, call in calls.items():
            duration = _seconds(call, repeats[library])
            shortest[library] = min(shortest[library], duration)
    return min(shortest, key=shortest.__getitem__)


def _seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the mean duration of a call; more than 0, whatever the clock's step."""
    began = time.perf_counter_ns()
    for _ in range(repeats):
        call()
    return max(time.perf_counter_ns() - began, 1) / repeats / 1e9


def _shared(name: str, trial: Callable[[], str]) -> str:
    """Return the outcome that all processes of this machine use: that of the first."""
    product = f"{processor()}, torch {torch.__version__}: {name}"
    if (library := _stored(product)) is not None:
        return library
    outcome = trial()
    return _stored(product, outcome) or outcome


def _stored(product: str, outcome: str | None = None) -> str | None:
    """Return the outcome that is stored, after one is offered.

    None if there is none, or if the file cannot be used: then each process keeps its
    own, which costs milliseconds.
    """
    try:
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=5.0)) as database, database:
            database.execute(_TABLE)
            if outcome is not None:
                insert = "INSERT OR IGNORE INTO faster VALUES (?, ?)"
                database.execute(insert, [product, outcome])
            query = "SELECT library FROM faster WHERE product = ?"
            row = database.execute(query, [product]).fetchone()
    except (OSError, RuntimeError, sqlite3.Error):  # no home, read-only, damaged
        return None
    return row[0] if row is not None and row[0] in LIBRARIES else None


def _file() -> Path:
    return Settings(environment={}).store / "matmul.sqlite"


def processor() -> str:
    """Return the name of the processor as the system tells it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()
