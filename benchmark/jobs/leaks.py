"""Refuse a corpus with the same audio in a training set and a test set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.study.splits import Split
from nserbench.errors import BadCorpus

_SHOWN = 8  # pairs named in one message


def refuse_copies(label: str, clips: Sequence[Clip], splits: Sequence[Split]) -> None:
    """Refuse audio of a test set that is also in the training or dev set.

    Args:
        label: Label of the corpus.
        clips: Clips in the order of the corpus's utterances.
        splits: Splits of the corpus.

    Raises:
        BadCorpus: if two utterances with the same samples are on both sides.
    """
    pairs = dict.fromkeys(pair for split in splits for pair in _copies(clips, split))
    if not pairs:
        return
    shown = [
        f"{_describe(clips[row])} = {_describe(clips[copy])}" for row, copy in pairs
    ]
    more = f"\n  and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    raise BadCorpus(
        f"{label}: the same audio is in a test set and in its training or dev set\n  "
        + "\n  ".join(shown[:_SHOWN])
        + more
        + "\n  exclude one of each pair: write the ids to a file, one per line, and "
        f"add {',' if ':' in label else ':'}exclude=FILE to the corpus's name"
    )


def _copies(clips: Sequence[Clip], split: Split) -> Iterator[tuple[int, int]]:
    """Yield the rows of each pair of copies of which one is tested, in order."""
    # A protocol may select on the test set itself; its name says so.
    dev = () if split.dev == split.test else split.dev
    rows = {clips[row].digest: row for row in (*split.train, *dev)}
    for row in split.test:
        if (copy := rows.get(clips[row].digest)) is not None:
            yield min(row, copy), max(row, copy)


def _describe(clip: Clip) -> str:
    utterance = clip.utterance
    return f"{utterance.id} (fold {utterance.fold}, speaker {utterance.speaker})"
