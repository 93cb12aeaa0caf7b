"""What every corpus is: utterances, classes and folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from nserbench.cards import Card, Option, Options, path_label
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings, variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One labelled clip.

    Attributes:
        id: Unique in the corpus, and the same wherever the files lie.
        path: The audio file.
        label: One of the corpus's classes.
        speaker: Who speaks.
        fold: The part of the corpus that it is tested with.
        start: Seconds into the file; its beginning if None.
        end: Seconds into the file; its end if None.
        text: What is said.
        language: ISO 639-1, such as ``"de"``.
        unit: What it shares with the utterances that it is not independent of, such as
            its dialogue, where that is not the speaker.
        channel: Which channel of the file to read, ``"centre"``, or ``"downmix"`` for
            the mean of all; the mean if None.
    """

    id: str
    path: Path
    label: str
    speaker: str
    fold: str
    start: float | None = None
    end: float | None = None
    text: str | None = None
    language: str | None = None
    unit: str | None = None
    channel: str | None = None

    @property
    def independent(self) -> str:
        """The unit of independence: utterances of two are independent of each other."""
        return self.speaker if self.unit is None else self.unit


@dataclass(frozen=True, slots=True)
class Corpus:
    """Utterances that agree with each other.

    Attributes:
        classes: The labels, in the order of logits and tables.
        utterances: At least one for each fold.
        tested: The folds that are tested in turn, each against all others; empty for
            all of them (cross-validation).
        noises: Audio files, folders or patterns of noises that belong to this corpus,
            by name. They win over noises of the same name from elsewhere.
        unit: What the unit of independence is called.
        dev: The fold that selects where something is selected, if the corpus has one.
        left_out: Why an utterance that the corpus lists does not take part, by id.
        edition: Which of several published editions was found; empty if there is one.
        remark: What a reader of its numbers should know; empty if there is nothing.

    Raises:
        BadCorpus: if there are no utterances, two have one id, a label is not a
            class, or a tested fold has none.
    """

    classes: tuple[str, ...]
    utterances: Sequence[Utterance]
    tested: tuple[str, ...] = ()
    noises: Mapping[str, Path] = field(default_factory=dict)
    unit: str = "speaker"
    dev: str | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    edition: str = ""
    remark: str = ""

    def __post_init__(self) -> None:
        if not self.utterances:
            raise BadCorpus("the corpus has no utterances")
        counts = Counter(utterance.id for utterance in self.utterances)
        if twice := [name for name, count in counts.items() if count > 1]:
            raise BadCorpus(
                f"{len(twice)} utterance ids stand more than once, "
                f"such as {twice[0]!r}: ids must be unique"
            )
        for utterance in self.utterances:
            if utterance.label not in self.classes:
                raise BadCorpus(
                    f"{utterance.id} has the label {utterance.label!r}\n"
                    f"  classes: {', '.join(self.classes)}"
                )
        if missing := set(self.tested) - set(self.folds):
            raise BadCorpus(
                f"no utterance is in the fold {sorted(missing)[0]!r}\n"
                f"  folds: {', '.join(self.folds)}"
            )

    @property
    def folds(self) -> tuple[str, ...]:
        """The folds, in natural order of their names."""
        return tuple(sorted({utterance.fold for utterance in self.utterances}))


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusCard(Card):
    """What is known of a corpus before it is read.

    ``load`` names a function ``(options, settings) -> Corpus``.

    Attributes:
        protocol: The protocol to use where none is asked for.
        obtain: How to get the data, for the message when it is missing.
        expects: ``"package.module:function"`` that takes the options and gives the
            published counts of each edition, as `Expected`; None where there are none.
    """

    kind: ClassVar[str] = "corpus"
    common: ClassVar[Mapping[str, Option]] = MappingProxyType(
        {
            "exclude": Option(
                help="file with one utterance id a line to leave out",
                parse=Path,
                label=path_label,
            )
        }
    )

    protocol: str = "probe"
    obtain: str = ""
    expects: str | None = None

    def read(self, options: Options, settings: Settings) -> Corpus:
        """Read the corpus, its utterances in the order of their ids.

        Batches, held-out parts and limits are drawn from places in that order. In the
        order of a list's lines, or of a folder's files, the same corpus would give
        other numbers on another machine.

        Raises:
            CorpusMissing: if its files are not on this machine.
            BadCorpus: if they contradict themselves.
        """
        corpus: Corpus = self.resolve(self.load)(options, settings)
        ordered = sorted(corpus.utterances, key=lambda one: one.id)
        return replace(corpus, utterances=ordered, unit=_unit(corpus))


def _unit(corpus: Corpus) -> str:
    """Return what a corpus calls its unit; not a speaker where it is none.

    A reader may give utterances units of their own and not say what they are.
    """
    ones = corpus.utterances
    units = {one.independent for one in ones}
    speakers = {one.speaker for one in ones}
    pairs = {(one.independent, one.speaker) for one in ones}
    if corpus.unit != "speaker" or len(pairs) == len(units) == len(speakers):
        return corpus.unit
    return "utterance" if len(units) == len(ones) else "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseCard(Card):
    """What is known of a noise before it is read.

    ``load`` names a function ``(card, settings) -> Path`` that gives its audio file, a
    folder of them, or a pattern such as ``FOLDER/*-rain.wav``; or raises
    `CorpusMissing`.
    """

    kind: ClassVar[str] = "noise"

    def file(self, settings: Settings) -> Path:
        """Give the audio file.

        Raises:
            CorpusMissing: if it is not on this machine.
        """
        found: Path = self.resolve(self.load)(self, settings)
        return found


def folder_of(name: str, obtain: str, settings: Settings) -> Path:
    """Give the folder that the user set for a corpus.

    Args:
        name: As in ``[paths]`` and in the environment variable.
        obtain: How to get the data.
        settings: Where to look.

    Raises:
        CorpusMissing: if none is set, or it is not a folder.
    """
    folder = settings.path(name)
    if folder is None:
        problem = f"{name} is not on this machine: {variable(name)} is not set"
    elif not folder.is_dir():
        problem = f"{name} is not on this machine: {folder} is not a folder"
    else:
        return folder
    raise CorpusMissing(
        f"{problem}\n  {obtain}, then\n"
        f"    export {variable(name)}=/path/to/{name}\n"
        f'  or write {name} = "/path/to/{name}" under [paths] in nserbench.toml'
    )
