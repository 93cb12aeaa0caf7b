"""Refuse a corpus in which utterances of two folds are the same part of a file."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

from nserbench.corpora.base import Corpus, Utterance
from nserbench.errors import BadCorpus

_SHOWN = 8  # pairs named in one message

_Part: TypeAlias = tuple[float, float, Utterance]


def refuse_shared_audio(corpus: Corpus) -> None:
    """Refuse utterances in different folds whose times in one file overlap.

    Files are told apart by their paths, so that no audio is read. An utterance without
    a file, whose path is empty, overlaps with none.

    Raises:
        BadCorpus: if there are such utterances.
    """
    pairs = [pair for parts in _files(corpus.utterances) for pair in _overlaps(parts)]
    if not pairs:
        return
    shown = [
        f"{_describe(one)} and {_describe(other)}" for one, other in pairs[:_SHOWN]
    ]
    more = f"\n  and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
    raise BadCorpus(
        "utterances in different folds are the same part of a file\n  "
        + "\n  ".join(shown)
        + more
        + "\n  put both in one fold, or correct start and end"
    )


def _files(utterances: Sequence[Utterance]) -> Iterator[list[_Part]]:
    """Yield the utterances of each file that is in two folds, in order of start."""
    folder_of = cache(os.path.realpath)
    files: defaultdict[tuple[str, str], list[_Part]] = defaultdict(list)
    for one in utterances:
        path = Path(os.path.normpath(one.path))
        if path.name:
            end = math.inf if one.end is None else one.end
            place = (folder_of(path.parent), path.name)
            files[place].append((one.start or 0.0, end, one))
    for parts in files.values():
        if len({one.fold for _, _, one in parts}) > 1:
            yield sorted(parts, key=lambda part: part[:2])


def _overlaps(parts: Sequence[_Part]) -> Iterator[tuple[Utterance, Utterance]]:
    """Yield pairs of different folds that overlap: each part with one before it.

    Of each fold, only the part that ends last can overlap with what follows first.
    """
    last: dict[str, _Part] = {}
    for part in parts:
        start, end, one = part
        for fold, (_, before, other) in last.items():
            if fold != one.fold and start < before:
                yield other, one
        if one.fold not in last or end > last[one.fold][1]:
            last[one.fold] = part


def _describe(one: Utterance) -> str:
    times = ""
    if one.start is not None or one.end is not None:
        end = "the end" if one.end is None else f"{one.end} s"
        times = f", {one.start or 0.0} s to {end}"
    return f"{one.id} (fold {one.fold}, speaker {one.speaker}{times})"
