"""How utterances are put into batches for a GPU."""

from pathlib import Path

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import _batches
from nserbench.corpora.base import Utterance
from nserbench.corpora.levels import Levels

MINUTE = 60 * 16_000


def shard(*sizes: int) -> list[tuple[str, Clip]]:
    part = Utterance(id="u", path=Path("u.wav"), label="a", speaker="s", fold="1")
    levels = Levels(1.0, 1.0, 1.0)
    return [(f"k{n}", Clip(part, "", size, levels)) for n, size in enumerate(sizes)]


def sizes(*clips: int, longest: int | None = None) -> list[int]:
    return [len(batch) for batch in _batches(shard(*clips), 4, longest)]


def test_short_clips_fill_whole_batches() -> None:
    assert sizes(*[16_000] * 10) == [4, 4, 2]


def test_few_clips_are_padded_to_a_long_one() -> None:
    assert sizes(16_000, 16_000, 40 * MINUTE, 16_000, 16_000) == [2, 1, 2]
    assert sizes(16_000, 3 * MINUTE, 16_000, 16_000) == [2, 2]


def test_a_clip_that_is_cut_counts_as_cut() -> None:
    assert sizes(*[40 * MINUTE] * 4, longest=MINUTE // 2) == [4]


def test_every_utterance_is_in_one_batch_in_order() -> None:
    clips = shard(16_000, 40 * MINUTE, 9 * MINUTE, 3 * MINUTE, 16_000, 16_000)

    joined = [key for batch in _batches(clips, 4, None) for key, _ in batch]

    assert joined == [key for key, _ in clips]
