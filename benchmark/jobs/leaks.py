"""The same audio in training and in test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.study.splits import Split
from nserbench.errors import BadCorpus

_SHOWN = 8  # pairs named in one message


def refuse_copies(label: str, clips: Sequence[Clip], splits: Sequence[Split]) -> None:
    """Refuse audio that is tested and is trained on, or selects, as well.

    Args:
        label: Of the corpus.
        clips: In the order of its utterances.
        splits: Of the corpus.

    Raises:
        BadCorpus: if two utterances with the same samples are on both sides.
    """
    pairs = dict.fromkeys(one for split in splits for one in _copies(clips, split))
    if not pairs:
        return
    shown = [f"{_named(clips[one])} = {_named(clips[other])}" for one, other in pairs]
    more = f"\n  and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    raise BadCorpus(
        f"{label}: the same audio is in the test part and in one that trains or "
        "selects\n  "
        + "\n  ".join(shown[:_SHOWN])
        + more
        + "\n  leave one of each out: list ids in a file, one a line, and add "
        f"{',' if ':' in label else ':'}exclude=FILE to the corpus's name"
    )


def _copies(clips: Sequence[Clip], split: Split) -> Iterator[tuple[int, int]]:
    """Return the rows of each pair of which one is tested, the lower row first."""
    # Where the test part itself selects, the protocol says so.
    chosen = () if split.dev == split.test else split.dev
    known = {clips[row].digest: row for row in (*split.train, *chosen)}
    for row in split.test:
        if (other := known.get(clips[row].digest)) is not None:
            yield min(row, other), max(row, other)


def _named(clip: Clip) -> str:
    one = clip.utterance
    return f"{one.id} (fold {one.fold}, speaker {one.speaker})"
