"""Transcripts of corpora in noise, and their word errors."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.benchmark.extraction.clips import Clip, read_clips
from nserbench.benchmark.extraction.extract import (
    ModelCache,
    extract_missing,
    read_transcripts,
)
from nserbench.benchmark.extraction.need import Need
from nserbench.benchmark.extraction.resolve_checkpoints import resolve_upstream
from nserbench.benchmark.extraction.unknown_languages import unknown_languages
from nserbench.benchmark.extraction.word_errors import Against, WordErrors, recognition
from nserbench.benchmark.store.feature_store import TRANSCRIPT, Store
from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.study import OpenedCorpus
from nserbench.cards import ConfiguredCard
from nserbench.progress import Progress
from nserbench.upstreams.base import UpstreamCard

COLUMNS = ("upstream", "corpus", "condition", "utterance", "reference", "transcript")


@dataclass(frozen=True, slots=True)
class Transcripts:
    """Transcripts of a corpus in a condition by one upstream.

    Attributes:
        references: Reference text of each utterance; None where it is not known.
    """

    upstream: str
    corpus: str
    condition: Condition
    clips: Sequence[Clip]
    references: Sequence[str | None]
    texts: Sequence[str]

    @property
    def recognition(self) -> WordErrors | None:
        """Word errors; None if no reference is known, or all are empty."""
        languages = [clip.utterance.language for clip in self.clips]
        return recognition(self.references, self.texts, languages)


def transcribe(
    upstream: ConfiguredCard[UpstreamCard],
    corpora: dict[str, OpenedCorpus],
    conditions: Sequence[tuple[str, Condition]],
    against: Against,
    store: Store,
    models: ModelCache,
    progress: Progress,
) -> list[Transcripts]:
    """Transcribe corpora; transcripts that are in the store are read from there.

    Args:
        conditions: Pairs of the label of a corpus and a condition.

    Raises:
        NserbenchError: if audio or weights cannot be used.
    """
    resolved = resolve_upstream(upstream, store)

    def transcribe_condition(label: str, condition: Condition) -> list[str]:
        extraction = resolved.extraction(corpora[label], condition, mix_seed=0)
        need = Need.of(extraction, clips[label], [TRANSCRIPT])
        extract_missing(need, store, models, progress)
        return read_transcripts(extraction, clips[label], store)

    clips = {
        label: read_clips(opened.corpus.utterances, store.file_facts, progress)
        for label, opened in corpora.items()
    }
    for label, read in clips.items():
        for line in unknown_languages(resolved.upstreams, label, read):
            progress.note(line)
    results = []
    for label, condition in conditions:
        references: Sequence[str | None]
        if against == "clean":
            references = transcribe_condition(label, Condition())
        else:
            references = [clip.utterance.text for clip in clips[label]]
        texts = transcribe_condition(label, condition)
        results.append(
            Transcripts(
                upstream.label, label, condition, clips[label], references, texts
            )
        )
    return results


def write_transcripts(file: Path, results: Sequence[Transcripts]) -> None:
    """Write transcripts as a CSV table, one row for each utterance.

    Raises:
        OSError: if the file cannot be written.
    """
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for result in results:
            names = result.upstream, result.corpus, str(result.condition)
            rows = zip(result.clips, result.references, result.texts, strict=True)
            table.writerows(
                (*names, clip.utterance.id, reference, text)
                for clip, reference, text in rows
            )
