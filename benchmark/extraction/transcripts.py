"""Transcripts of corpora in noise, and how well they match what was said."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.benchmark.extraction.clips import Clip, read_clips
from nserbench.benchmark.extraction.extract import ModelCache, extract_missing, said
from nserbench.benchmark.extraction.resolve import resolve_upstream
from nserbench.benchmark.extraction.word_errors import Against, WordErrors, recognition
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.study import OpenedCorpus
from nserbench.cards import ConfiguredCard
from nserbench.progress import Progress
from nserbench.upstreams.base import UpstreamCard

COLUMNS = ("upstream", "corpus", "condition", "utterance", "reference", "transcript")


@dataclass(frozen=True, slots=True)
class Transcripts:
    """What an upstream wrote down of a corpus in a condition.

    Attributes:
        upstream: Its label.
        corpus: Its label.
        condition: The condition.
        clips: The utterances.
        references: What each is compared with; None where nobody knows.
        texts: The transcript of each.
    """

    upstream: str
    corpus: str
    condition: Condition
    clips: Sequence[Clip]
    references: Sequence[str | None]
    texts: Sequence[str]

    @property
    def recognition(self) -> WordErrors | None:
        """How well they match; None if a reference is missing, or all are empty."""
        languages = [clip.utterance.language for clip in self.clips]
        return recognised(self.references, self.texts, languages)


def recognised(
    references: Sequence[str | None],
    texts: Sequence[str],
    languages: Sequence[str | None],
) -> WordErrors | None:
    """Compare transcripts with references, where each utterance has one."""
    known = [text for text in references if text is not None]
    if len(known) < len(references):
        return None
    return recognition(known, texts, languages)


def transcribe(
    upstream: ConfiguredCard[UpstreamCard],
    corpora: dict[str, OpenedCorpus],
    conditions: Sequence[tuple[str, Condition]],
    against: Against,
    store: Store,
    models: ModelCache,
    progress: Progress,
) -> list[Transcripts]:
    """Write corpora down, reading from the store what was written down before.

    Args:
        upstream: Who transcribes.
        corpora: By label.
        conditions: The label of a corpus, and the condition to hear it in.
        against: What to compare with.
        store: Where transcripts are kept.
        models: Who opens the upstream.
        progress: Hears of every utterance.

    Raises:
        NserbenchError: if audio or weights cannot be used.
    """
    known = resolve_upstream(upstream, store)

    def write_down(label: str, condition: Condition) -> list[str]:
        extraction = known.over(corpora[label], condition, mix_seed=0)
        extract_missing(
            extraction, clips[label], ["transcripts"], store, models, progress
        )
        return said(extraction, clips[label], store)

    clips = {
        label: read_clips(opened.corpus.utterances, store.file_facts, progress)
        for label, opened in corpora.items()
    }
    found = []
    for label, condition in conditions:
        references: Sequence[str | None]
        if against == "clean":
            references = write_down(label, Condition())
        else:
            references = [clip.utterance.text for clip in clips[label]]
        texts = write_down(label, condition)
        found.append(
            Transcripts(
                upstream.label, label, condition, clips[label], references, texts
            )
        )
    return found


def write_transcripts(file: Path, found: Sequence[Transcripts]) -> None:
    """Write transcripts as a table, one row for each utterance.

    Raises:
        OSError: if it cannot be written.
    """
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for one in found:
            names = one.upstream, one.corpus, str(one.condition)
            rows = zip(one.clips, one.references, one.texts, strict=True)
            table.writerows(
                (*names, clip.utterance.id, reference, text)
                for clip, reference, text in rows
            )
