"""Corpora of utterances with classes and folds; cards of corpora and noises."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from nserbench.cards import Card, Option, Options, path_label
from nserbench.corpora.tools.download_sources import SOURCES
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.languages import language_code
from nserbench.paths import expanded_path, is_folder, not_there
from nserbench.settings import Settings, variable

if TYPE_CHECKING:
    from nserbench.corpora.readers.published_counts import PublishedCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One labelled clip.

    Attributes:
        id: Unique in the corpus, and independent of where the files are stored.
        path: Path of the audio file.
        label: Emotion; one of the corpus's classes.
        speaker: Name of the speaker.
        fold: Name of the fold whose test set has the utterance.
        start: Seconds into the file; its beginning if None.
        end: Seconds into the file; its end if None.
        text: Transcript.
        language: ISO 639-1, such as ``"de"``, or what
            `nserbench.languages.language_code` reads.
        unit: Name of the unit of independence, such as a dialogue; None if that is the
            speaker.
        channel: Channel of the file to read: ``"centre"``, or ``"downmix"`` or None for
            the mean of all channels.
        gender: Gender of the speaker, as the corpus names it.
        listed: Line of the user's own list that names the file: ``FILE, line N``.
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
    gender: str | None = None
    listed: str | None = field(default=None, compare=False)

    def located(self, problem: str) -> str:
        """Return a problem of the file, after the line of the list that names it."""
        return problem if self.listed is None else f"{self.listed}: {problem}"

    @property
    def independent(self) -> str:
        """Unit of independence: utterances of different units are independent."""
        return self.speaker if self.unit is None else self.unit


@dataclass(frozen=True, slots=True)
class Corpus:
    """A data set of emotional speech.

    Attributes:
        classes: The labels, in the order of logits and tables.
        utterances: The utterances, at least one.
        tested: The folds that are test sets in turn; empty for all folds
            (cross-validation).
        trained: The folds that are the training set, with the development set, of every
            test set; empty for all but the one that is tested.
        noises: Audio files, folders or patterns of the corpus's own noises, by name.
            They are used before noises of the same name from elsewhere.
        unit: Kind of the unit of independence, such as ``"speaker"``.
        dev: Name of the fold that is the development set, if the corpus has one.
        left_out: Reason why a listed utterance is excluded, by its id.
        edition: Name of the edition, if several are published; else empty.
        remark: What a reader of the results should know; empty if there is nothing.
        warnings: What may be wrong in the corpus's files, a sentence each, with file
            and line.
        rows: Number of rows of the file that lists the utterances; None if there is no
            such file.

    Raises:
        BadCorpus: if there are no utterances, two have the same id, a label is not a
            class, a tested or trained fold has no utterances, or one is both.
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
    trained: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rows: int | None = None

    def __post_init__(self) -> None:
        if not self.utterances:
            raise BadCorpus("the corpus has no utterances")
        counts = Counter(utterance.id for utterance in self.utterances)
        if repeated := [name for name, count in counts.items() if count > 1]:
            raise BadCorpus(
                f"{len(repeated)} utterance ids are there more than once, "
                f"such as {repeated[0]!r}: ids must be unique"
            )
        for utterance in self.utterances:
            if utterance.label not in self.classes:
                raise BadCorpus(
                    f"{utterance.id} has the label {utterance.label!r}\n"
                    f"  classes: {', '.join(self.classes)}"
                )
        if both := set(self.tested) & set(self.trained):
            raise BadCorpus(
                f"the fold {sorted(both)[0]!r} is both trained on and tested"
            )
        if missing := {*self.tested, *self.trained} - set(self.folds):
            raise BadCorpus(
                f"no utterance is in the fold {sorted(missing)[0]!r}\n"
                f"  folds: {', '.join(self.folds)}"
            )

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the folds, sorted."""
        return tuple(sorted({utterance.fold for utterance in self.utterances}))


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusCard(Card):
    """Description of a corpus: what is known before it is read.

    ``load`` names a function ``(options, settings) -> Corpus``.

    Attributes:
        protocol: Name of the protocol that is used unless another is asked for.
        obtain: How to get the data, for the message if it is missing.
        expects: A function, or ``"package.module:function"``, that takes the options
            and returns the `PublishedCounts` of each edition; None if no counts are
            published.
        publishable: Whether its licence lets everybody publish ids, speakers and labels
            of its utterances, which predictions repeat. None if the card does not say.
    """

    kind: ClassVar[str] = "corpus"
    common: ClassVar[Mapping[str, Option]] = MappingProxyType(
        {
            "exclude": Option(
                help="file with the ids of utterances to exclude, one per line",
                parse=expanded_path,
                label=path_label,
            )
        }
    )

    protocol: str = "probe"
    obtain: str = ""
    expects: str | Callable[[Options], Sequence[PublishedCounts]] | None = None
    publishable: bool | None = None

    def read(self, options: Options, settings: Settings) -> Corpus:
        """Read the corpus, with its utterances sorted by id.

        Batches, held-out sets and limits depend on the order of utterances. In the
        order of a list or folder, the same corpus could give different results on
        different machines.

        Raises:
            CorpusMissing: if its files are not on this machine.
            BadCorpus: if its files contradict each other, or the reader returns
                something else than a corpus.
        """
        corpus: Corpus = self.loader()(options, settings)
        _refuse_other(self.name, corpus)
        ordered = sorted(corpus.utterances, key=lambda utterance: utterance.id)
        spoken = [_with_code(utterance) for utterance in ordered]
        return replace(corpus, utterances=spoken, unit=_unit(corpus))


def _with_code(utterance: Utterance) -> Utterance:
    """Return an utterance whose language is the code that upstreams know.

    Raises:
        BadCorpus: if its language is not known.
    """
    if utterance.language is None:
        return utterance
    try:
        code = language_code(utterance.language)
    except ValueError as error:
        raise BadCorpus(f"the language of {utterance.id}: {error}") from error
    return (
        replace(utterance, language=code) if code != utterance.language else utterance
    )


_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "id": (str,),
        "path": (Path,),
        "label": (str,),
        "speaker": (str,),
        "fold": (str,),
        "start": (int, float, type(None)),
        "end": (int, float, type(None)),
        "text": (str, type(None)),
        "language": (str, type(None)),
        "unit": (str, type(None)),
        "channel": (str, type(None)),
    }
)
"""Types of the fields of an utterance."""
_NAMES = {type(None): "None"}


def _refuse_other(name: str, corpus: object) -> None:
    """Refuse what a reader returns in place of a corpus."""
    if not isinstance(corpus, Corpus):
        raise BadCorpus(
            f"the reader of the corpus {name!r} returns an object of the class "
            f"{type(corpus).__name__}, not a Corpus"
        )
    for utterance in corpus.utterances:
        for field_name, types in _TYPES.items():
            value = getattr(utterance, field_name, ...)
            negative = isinstance(value, int | float) and not 0 <= value < math.inf
            if negative or not isinstance(value, types):
                wanted = " or ".join(_NAMES.get(kind, kind.__name__) for kind in types)
                raise BadCorpus(
                    f"the reader of the corpus {name!r} returns an utterance "
                    f"whose {field_name} is {value!r}, not {wanted}: {utterance!r}"
                )


def _unit(corpus: Corpus) -> str:
    """Return the kind of a corpus's unit of independence.

    A reader may set the units of utterances and leave `Corpus.unit` at ``"speaker"``.
    """
    units = {utterance.independent for utterance in corpus.utterances}
    speakers = {utterance.speaker for utterance in corpus.utterances}
    pairs = {(one.independent, one.speaker) for one in corpus.utterances}
    if corpus.unit != "speaker" or len(pairs) == len(units) == len(speakers):
        return corpus.unit
    return "utterance" if len(units) == len(corpus.utterances) else "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseCard(Card):
    """Description of a noise: what is known before it is read.

    ``load`` names a function ``(card, settings) -> Path`` that returns an audio file, a
    folder of audio files, or a pattern such as ``FOLDER/*-rain.wav``, or raises
    `CorpusMissing`.

    Raises:
        ValueError: if the name has an ``@``, which stands before an SNR, as in
            ``park@5``.
    """

    kind: ClassVar[str] = "noise"

    def __post_init__(self) -> None:
        Card.__post_init__(self)
        if "@" in self.name:
            raise ValueError(
                f"the noise {self.name!r} has an @, which stands before an SNR, as in "
                "park@5: give it another name"
            )

    def file(self, settings: Settings) -> Path:
        """Return the path of the audio file, folder or pattern.

        Raises:
            CorpusMissing: if it is not on this machine.
            BadCorpus: if the function does not return a path.
        """
        path = self.loader()(self, settings)
        if not isinstance(path, Path):
            raise BadCorpus(
                f"the noise {self.name!r} is {path!r}, not the path of a file"
            )
        return path


def folder_of(name: str, obtain: str, settings: Settings) -> Path:
    """Return the folder that the user set for a corpus.

    Args:
        name: Name of the corpus, as in ``[paths]`` and the environment variable.
        obtain: How to get the data, for the message.
        settings: The user's settings.

    Raises:
        CorpusMissing: if no folder is set, or it is not a folder.
    """
    folder = settings.path(name)
    if folder is None:
        problem = f"{name} is not on this machine: {variable(name)} is not set"
    elif not is_folder(folder):
        problem = (
            f"{name} is not on this machine: {folder} {not_there(folder, 'folder')}"
        )
    else:
        return folder
    if name in SOURCES:
        obtain = f"nserbench download {name}\n  or {obtain}"
    raise CorpusMissing(
        f"{problem}\n  {obtain}, then\n"
        f"    export {variable(name)}=/path/to/{name}\n"
        f'  or write {name} = "/path/to/{name}" under [paths] in {settings.file}'
    )
