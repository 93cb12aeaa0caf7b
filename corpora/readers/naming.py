"""Corpora whose file names say who speaks and how: finding, reading, counting them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nserbench.corpora.base import Corpus, CorpusCard, Utterance, folder_of
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings, variable

PAPER = ("anger", "happiness", "neutral", "sadness")
ENDINGS = frozenset({".flac", ".wav"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNaming:
    """How a corpus names its audio files.

    Attributes:
        card: Its card.
        layouts: Where the files lie, as globs below the corpus's folder. The first
            that finds a file of the corpus counts, so that copies are not read twice.
        pattern: A regular expression for a file's name without ending, with those of
            the folders above that say something.
        example: One of the files, for messages.
        others: As ``pattern``, for files of the same publication to pass over.
    """

    card: CorpusCard
    layouts: tuple[str, ...]
    pattern: str
    example: str
    others: str | None = None

    def files(self, settings: Settings) -> Sequence[tuple[Path, re.Match[str]]]:
        """Find the audio files, in the order of their paths, and read their names.

        Files that are neither WAV nor FLAC are passed over, as are the ``._`` files
        that macOS adds.

        Raises:
            CorpusMissing: if the folder is not set, or has none of the files.
            BadCorpus: if an audio file beside them has a name that is not the corpus's.
        """
        top = folder_of(self.card.name, self.card.obtain, settings)
        if found := self._below(top):
            return [(path, self._read(path)) for path in found]
        raise CorpusMissing(
            f"{self.card.name} is not on this machine: {top} holds no files such as "
            f"{self.example}\n  {self._where_else(top)}"
        )

    def _below(self, top: Path) -> Sequence[Path]:
        for layout in self.layouts:
            found = [path for path in sorted(top.glob(layout)) if self._is_part(path)]
            if any(_match(self.pattern, path) for path in found):
                return found
        return []

    def _is_part(self, path: Path) -> bool:
        # macOS puts a ._ file beside each file on foreign disks.
        if path.suffix.lower() not in ENDINGS or path.name[:2] == "._":
            return False
        return self.others is None or not _match(self.others, path)

    def _read(self, path: Path) -> re.Match[str]:
        if name := _match(self.pattern, path):
            return name
        raise BadCorpus(
            f"{path} is not named as the files of {self.card.name} are, such as "
            f"{self.example}\n  give it its original name, or move it elsewhere"
        )

    def _where_else(self, top: Path) -> str:
        for folder in [*sorted(top.glob("*/")), *top.absolute().parents[:2]]:
            if self._below(folder):
                return f"it is in {folder}: set {variable(self.card.name)} to that"
        return self.card.obtain


def _match(pattern: str, path: Path) -> re.Match[str] | None:
    return re.fullmatch(rf"(?s:.*)/{pattern}", f"/{path.with_suffix('').as_posix()}")


def choose(classes: tuple[str, ...], found: Iterable[Utterance]) -> Corpus:
    """Make a corpus of the utterances of some classes."""
    return Corpus(
        classes=classes,
        utterances=[utterance for utterance in found if utterance.label in classes],
    )


def published(
    counts: Mapping[tuple[str, str], int],
    folds: Mapping[str, str],
    classes: tuple[str, ...],
) -> tuple[PublishedCounts, ...]:
    """Give the counts of a corpus that has one edition.

    Args:
        counts: Utterances of each speaker in each class.
        folds: The fold of each speaker.
        classes: Those to count.
    """
    by_class, by_fold, by_speaker = Counter[str](), Counter[str](), Counter[str]()
    for (speaker, label), number in counts.items():
        if label in classes:
            by_class[label] += number
            by_fold[folds[speaker]] += number
            by_speaker[speaker] += number
    return (PublishedCounts(classes=by_class, folds=by_fold, speakers=by_speaker),)
