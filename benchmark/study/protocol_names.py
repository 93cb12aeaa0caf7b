"""Read the name of a protocol, with its variants and settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from nserbench.benchmark.study.protocols import (
    FRAME_TYPES,
    PROTOCOLS,
    UNSEEN,
    VARIANTS,
    Protocol,
    Variant,
)
from nserbench.cards import at_least, fraction, one_of, yes_no
from nserbench.errors import BadSpec, UnknownName
from nserbench.plain_data import number


def _number(text: str) -> float:
    value = number(text)
    if not value > 0:
        raise ValueError("the number must be above 0")
    return value


SETTINGS: Mapping[str, Callable[[str], Any]] = {
    "epochs": at_least(1),
    "batch_size": at_least(1),
    "learning_rate": _number,
    "standardise": yes_no,
    "class_weights": yes_no,
    "label_smoothing": fraction,
    "schedule": one_of("constant", "cosine"),
    "precision": one_of("fp32", "bf16"),
    "frames": one_of(*FRAME_TYPES),
}
"""Settings that can be overridden, as in ``paper+learning_rate=0.001``."""


def read_protocol(text: str | None, default: str) -> Protocol:
    """Read a protocol: ``[NAME][+VARIANT...][+key=value...]``.

    Args:
        text: What was typed; None for the default.
        default: Name of the corpus's protocol, used if the text does not name one.

    Raises:
        UnknownName: if a name is not known.
        BadSpec: if variants contradict each other, or a value is out of range.
    """
    pieces = (text or default).split("+")
    if pieces[0] not in {protocol.name for protocol in PROTOCOLS}:
        if pieces[0] not in _variants() and "=" not in pieces[0]:
            raise UnknownName("protocol", pieces[0], [*_protocols(), *_variants()])
        pieces.insert(0, default)
    protocol = _protocols()[pieces[0]]
    for piece in pieces[1:]:
        protocol = _changed(protocol, piece)
    return protocol


def _changed(protocol: Protocol, piece: str) -> Protocol:
    key, equals, value = piece.partition("=")
    if key == UNSEEN.key:
        return _unseen_noise(piece, value).applied(protocol)
    if piece in _variants():
        return _variants()[piece].applied(protocol)
    if not equals:
        raise UnknownName("variant", key, _variants(), of=protocol.name)
    if key not in SETTINGS:
        known = [*SETTINGS, *(name for name in _variants() if "=" in name)]
        raise UnknownName("setting", piece, known, of=f"protocol {protocol.name!r}")
    try:
        parsed = SETTINGS[key](value)
    except ValueError as error:
        raise BadSpec(f"{protocol.name}+{piece}: {error}") from error
    return protocol.with_setting(key, parsed, f"+{piece}")


def _unseen_noise(piece: str, noise: str) -> Variant:
    """Return the variant that trains in a noise.

    Raises:
        BadSpec: if no noise is named.
    """
    if noise in ("", "clean", "NAME"):
        raise BadSpec(
            f"{piece}: write the name of a noise after {UNSEEN.key}=\n"
            "  clean-train trains on clean speech"
        )
    return dataclasses.replace(UNSEEN, name=piece, unseen=noise)


def _protocols() -> dict[str, Protocol]:
    return {protocol.name: protocol for protocol in PROTOCOLS}


def _variants() -> dict[str, Variant]:
    return {variant.name: variant for variant in VARIANTS}
