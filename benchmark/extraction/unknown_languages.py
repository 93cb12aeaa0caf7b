"""Utterances in languages that a model does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from nserbench.benchmark.extraction.clips import Clip
from nserbench.cards import ConfiguredCard
from nserbench.upstreams.base import UpstreamCard


def unknown_languages(
    upstreams: Iterable[ConfiguredCard[UpstreamCard]],
    corpus: str,
    clips: Sequence[Clip],
) -> Iterator[str]:
    """Say which languages some upstreams are not prompted for.

    Args:
        upstreams: The upstreams.
        corpus: Label of the corpus, for the messages.
        clips: All clips of the corpus.

    Yields:
        A sentence for each upstream and language.
    """
    counts = Counter(clip.utterance.language for clip in clips)
    foreign = sorted((of, n) for of, n in counts.items() if of not in (None, "en"))
    for upstream in upstreams:
        if upstream.card.languages is None or not foreign:
            continue
        known = upstream.card.resolve(upstream.card.languages)(upstream.options)
        for language, count in foreign:
            if known is not None and language not in known:
                yield (
                    f"{upstream.label} does not know the language {language}: "
                    f"{count} of {len(clips)} clips of {corpus} get an English prompt"
                )
