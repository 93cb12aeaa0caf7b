"""Utterances in languages that a model does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.resolve_checkpoints import ResolvedUpstream


def unknown_languages(
    model: ResolvedUpstream, corpus: str, clips: Sequence[Clip]
) -> Iterator[str]:
    """Say which languages an upstream, or its transcriber, is not prompted for.

    Args:
        model: The upstream.
        corpus: Label of the corpus, for the messages.
        clips: All clips of the corpus.

    Yields:
        A sentence for each language.
    """
    if model.transcriber is not None:
        yield from unknown_languages(model.transcriber, corpus, clips)
    card, options = model.upstream.bound.card, model.upstream.bound.options
    counts = Counter(clip.utterance.language for clip in clips)
    if card.languages is None or not set(counts) - {None, "en"}:
        return
    known = card.resolve(card.languages)(options)
    for language, count in sorted((of, n) for of, n in counts.items() if of):
        if known is not None and language not in known:
            yield (
                f"{model.upstream.bound.label} does not know the language {language}: "
                f"{count} of {len(clips)} clips of {corpus} get an English prompt"
            )
