"""Corpora whose file names hold the speaker and the emotion."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nserbench.cards import Options
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
        layouts: Globs below the corpus's folder. Only the first that finds a file of
            the corpus is used, so that no copy is read twice.
        pattern: A regular expression for a file's name without ending, and for the
            names of folders above it where they hold information.
        example: Name of one of the files, for messages.
        others: As ``pattern``, for files of the same publication that are skipped.
    """

    card: CorpusCard
    layouts: tuple[str, ...]
    pattern: str
    example: str
    others: str | None = None

    def files(self, settings: Settings) -> Sequence[tuple[Path, re.Match[str]]]:
        """Find the audio files, in the order of their paths, and read their names.

        Files that are neither WAV nor FLAC are skipped, and so are the ``._`` files
        that macOS adds.

        Raises:
            CorpusMissing: if the folder is not set, or has none of the files.
            BadCorpus: if an audio file next to them does not have a name of the corpus.
        """
        top = folder_of(self.card.name, self.card.obtain, settings)
        if files := self._below(top):
            return [(file, self._read(file)) for file in files]
        raise CorpusMissing(
            f"{self.card.name} is not on this machine: {top} holds no files such as "
            f"{self.example}\n  {self._where_else(top)}"
        )

    def _below(self, top: Path) -> Sequence[Path]:
        """Find the audio files of the first layout that fits."""
        for layout in self.layouts:
            files = [path for path in sorted(top.glob(layout)) if self._is_part(path)]
            if any(_match(self.pattern, path) for path in files):
                return files
        return []

    def _is_part(self, path: Path) -> bool:
        # macOS adds a ._ file for each file on disks of other systems.
        if path.suffix.lower() not in ENDINGS or path.name[:2] == "._":
            return False
        return self.others is None or not _match(self.others, path)

    def _read(self, path: Path) -> re.Match[str]:
        if name := _match(self.pattern, path):
            return name
        raise BadCorpus(
            f"{path} is not named as the files of {self.card.name} are, such as "
            f"{self.example}\n  give the file its original name, or move it elsewhere"
        )

    def _where_else(self, top: Path) -> str:
        for folder in [*sorted(top.glob("*/")), *top.absolute().parents[:2]]:
            if self._below(folder):
                name = variable(self.card.name)
                return f"they are in {folder}: set {name} to that folder"
        return self.card.obtain


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCorpus:
    """The reader of a corpus whose file names hold all about an utterance.

    Attributes:
        naming: How its files are named.
        utterance: Makes an utterance of a file and its parsed name.
        classes: The classes, by the value of the option ``classes``; ``paper`` for a
            corpus without this option.
        counts: Published number of utterances of each speaker in each class.
        folds: The fold of each speaker.
        editions: Name of and remark about an edition, by its number of files. Any other
            number is taken as the edition whose counts are published.
    """

    naming: FileNaming
    utterance: Callable[[Path, re.Match[str]], Utterance]
    classes: Mapping[str, tuple[str, ...]]
    counts: Mapping[tuple[str, str], int]
    folds: Mapping[str, str]
    editions: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    def load(self, options: Options, settings: Settings) -> Corpus:
        """Read the WAV and FLAC files of the corpus.

        Raises:
            CorpusMissing: if the folder is not set, or has none of the files.
            BadCorpus: if a file's name is not one of the corpus's.
        """
        files = self.naming.files(settings)
        utterances = [self.utterance(path, name) for path, name in files]
        corpus = choose(self._chosen(options), utterances)
        edition, remark = self.editions.get(len(files), ("", ""))
        return replace(corpus, edition=edition, remark=remark)

    def expected(self, options: Options) -> tuple[PublishedCounts, ...]:
        """Return the published counts of the edition that has them."""
        return published(self.counts, self.folds, self._chosen(options))

    def _chosen(self, options: Options) -> tuple[str, ...]:
        return self.classes[options.get("classes", "paper")]


def _match(pattern: str, path: Path) -> re.Match[str] | None:
    return re.fullmatch(rf"(?s:.*)/{pattern}", f"/{path.with_suffix('').as_posix()}")


def choose(classes: tuple[str, ...], utterances: Iterable[Utterance]) -> Corpus:
    """Make a corpus of the utterances of some classes."""
    return Corpus(
        classes=classes,
        utterances=[one for one in utterances if one.label in classes],
    )


def published(
    counts: Mapping[tuple[str, str], int],
    folds: Mapping[str, str],
    classes: tuple[str, ...],
) -> tuple[PublishedCounts, ...]:
    """Sum the published counts of a corpus that has one edition.

    Args:
        counts: Utterances of each speaker in each class.
        folds: The fold of each speaker.
        classes: The classes to count.
    """
    by_class, by_fold, by_speaker = Counter[str](), Counter[str](), Counter[str]()
    for (speaker, label), number in counts.items():
        if label in classes:
            by_class[label] += number
            by_fold[folds[speaker]] += number
            by_speaker[speaker] += number
    return (PublishedCounts(classes=by_class, folds=by_fold, speakers=by_speaker),)
