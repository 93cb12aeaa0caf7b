"""What a user asks for: the settings of a study, each written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, fields
from typing import Any

from nserbench.benchmark.study.toml_checks import (
    a_count,
    a_precision,
    a_seed_count,
    a_text,
    checked,
    needed_by,
    snr_list,
    texts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The settings of a study, as they were typed.

    A grid file has a key for each field, `Overrides` takes the same names, and so do
    the options of the command line. In a field's metadata, ``only_in_blocks`` is the
    option that cannot be combined with ``--grid``, since each block of the file sets
    its own value; ``flag`` is how the message names an option that is missing.

    Attributes:
        upstreams: Names of upstreams; each text has one or more.
        downstreams: Names of heads; each text has one or more.
        corpora: Names of corpora, alone or with a noise; each text has one or more.
        noises: Noises for the corpora that are named alone.
        snrs: SNRs in dB, for every noise.
        protocol: Name of the protocol; None for each corpus's default.
        epochs: Number of epochs; None for the protocol's.
        limit: Largest number of utterances of each corpus; None for all.
        seeds: Random seeds; each has a cell.
        finetune: Head to fine-tune the upstreams under, or ``joint`` for the head of
            each cell; None to leave the upstreams frozen.
        precision: Precision of training; None for the protocol's.
    """

    upstreams: Sequence[str] = checked(
        texts, only_in_blocks="--upstream", flag="'-u' / '--upstream'"
    )
    downstreams: Sequence[str] = checked(
        texts, only_in_blocks="--downstream", flag="'-d' / '--downstream'"
    )
    corpora: Sequence[str] = checked(texts, flag="'-c' / '--corpus'")
    noises: Sequence[str] = checked(texts, default=(), only_in_blocks="--noise")
    snrs: Sequence[float] = checked(snr_list, default=(0.0,))
    protocol: str | None = checked(a_text, default=None)
    epochs: int | None = checked(a_count, default=None)
    limit: int | None = checked(a_count, default=None)
    seeds: Sequence[int] = checked(a_seed_count, default=(0,))
    finetune: str | None = checked(a_text, default=None, only_in_blocks="--finetune")
    precision: str | None = checked(a_precision, default=None)


SETTINGS: Mapping[str, Field[Any]] = {one.name: one for one in fields(Request)}
"""The fields of `Request`, by name."""

_NEEDED = needed_by(Request)
"""Settings without a default."""


def lacking(values: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings without a default that have no value."""
    return [name for name in _NEEDED if not values.get(name)]


def set_in_blocks(values: Mapping[str, Any]) -> list[str]:
    """Return the names of settings that a grid file must set in each of its blocks."""
    named = (name for name in SETTINGS if values.get(name))
    return [name for name in named if "only_in_blocks" in SETTINGS[name].metadata]
