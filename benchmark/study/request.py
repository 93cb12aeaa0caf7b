"""What a user asks for: the settings of a study, each written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from nserbench.benchmark.study.toml_checks import (
    Check,
    a_count,
    a_precision,
    a_seed_count,
    a_text,
    snr_list,
    texts,
)


def _setting(
    check: Check, *, default: Any = MISSING, only_in_blocks: str = "", flag: str = ""
) -> Any:
    """Return a field of `Request`.

    Args:
        check: Checks the value in a grid file.
        default: Value if it is not given; none for a setting that must be given.
        only_in_blocks: Option that cannot be combined with ``--grid``, since each block
            of the file sets its own value; empty if the option replaces those.
        flag: The option in the message that it is missing.
    """
    about = {"check": check, "only_in_blocks": only_in_blocks, "flag": flag}
    return field(default=default, metadata=about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The settings of a study, as they were typed.

    A grid file has a key for each field, `Overrides` takes the same names, and so do
    the options of the command line.

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

    upstreams: Sequence[str] = _setting(
        texts, only_in_blocks="--upstream", flag="'-u' / '--upstream'"
    )
    downstreams: Sequence[str] = _setting(
        texts, only_in_blocks="--downstream", flag="'-d' / '--downstream'"
    )
    corpora: Sequence[str] = _setting(texts, flag="'-c' / '--corpus'")
    noises: Sequence[str] = _setting(texts, default=(), only_in_blocks="--noise")
    snrs: Sequence[float] = _setting(snr_list, default=(0.0,))
    protocol: str | None = _setting(a_text, default=None)
    epochs: int | None = _setting(a_count, default=None)
    limit: int | None = _setting(a_count, default=None)
    seeds: Sequence[int] = _setting(a_seed_count, default=(0,))
    finetune: str | None = _setting(a_text, default=None, only_in_blocks="--finetune")
    precision: str | None = _setting(a_precision, default=None)


SETTINGS: Mapping[str, Field[Any]] = {one.name: one for one in fields(Request)}
"""The fields of `Request`, by name."""

NEEDED = [name for name, one in SETTINGS.items() if one.default is MISSING]
"""Settings without a default."""
