"""A study: a request with every name, file and option looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median

from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.study.cell import Cell, Condition
from nserbench.benchmark.study.grid import (
    CorpusCondition,
    make_grid,
    refuse_all_refused,
)
from nserbench.benchmark.study.name_lookup import (
    CorpusAndNoise,
    corpus_conditions,
    read_corpora,
    read_names,
    read_upstreams,
    transcriber_of,
)
from nserbench.benchmark.study.protocol_names import read_protocol
from nserbench.benchmark.study.protocols import Protocol
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.splits import (
    PLAIN,
    Split,
    SplitRule,
    folded,
    limited,
    make_splits,
)
from nserbench.benchmark.study.two_names import refuse_two_names
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import Corpus, CorpusCard
from nserbench.corpora.noise.disjoint import NoiseByFold, by_fold
from nserbench.corpora.noise.file_sets import audio_files, open_noise
from nserbench.corpora.noise.mixing import Noise, WholeNoise
from nserbench.corpora.readers.text_files import read_lines
from nserbench.errors import BadCorpus, CorpusMissing, Missing, UnknownName
from nserbench.paths import not_there
from nserbench.settings import Settings
from nserbench.upstreams.side_by_side import parts_of

REPLACED = "is a file of the settings, not the noise that usually has this name"
"""What is said of a noise that replaces one of a plugin."""


@dataclass(frozen=True)
class OpenedCorpus:
    """A corpus that has been read, with the noises to add to it.

    Attributes:
        corpus: The corpus, with the utterances that are used.
        replaced: Names of noises that are files of the settings, though a plugin has
            a noise of this name.
    """

    corpus: Corpus
    noises: Mapping[str, WholeNoise]
    rule: SplitRule = PLAIN
    replaced: frozenset[str] = frozenset()

    @cached_property
    def texts(self) -> str | None:
        """Digest of what is said, and in which language; None if no text is known."""
        spoken = [[one.id, one.text, one.language] for one in self.corpus.utterances]
        return digest(spoken) if any(text for _, text, _ in spoken) else None

    @cached_property
    def splits(self) -> list[Split]:
        """Splits of the corpus.

        Raises:
            BadCorpus: if it cannot be split, or a speaker is in training and test set.
        """
        return make_splits(self.corpus, self.rule)

    @cached_property
    def split_noises(self) -> Mapping[str, Noise]:
        """Noises to add to the speech: whole, or split by folds.

        Raises:
            BadSpec: if a noise is too short for so many folds.
        """
        if not self.rule.disjoint:
            return self.noises
        utterances = folded(self.corpus, self.rule).utterances
        folds = {utterance.id: utterance.fold for utterance in utterances}
        return {name: by_fold(noise, folds) for name, noise in self.noises.items()}

    def noise(self, condition: Condition) -> Noise | None:
        """Return the noise of a condition; None for clean speech."""
        return None if condition.noise is None else self.split_noises[condition.noise]

    def refuse_short_noises(self, lengths: Sequence[int]) -> None:
        """Refuse noises that would repeat within most utterances of a fold.

        Args:
            lengths: Lengths of the utterances, in samples at 16 kHz.

        Raises:
            BadSpec: if a fold's part of a noise is shorter than the median utterance.
        """
        for noise in self.split_noises.values():
            if isinstance(noise, NoiseByFold):
                noise.refuse_short(int(median(lengths)))


@dataclass(frozen=True, slots=True)
class Study:
    """All cells of a request, and their corpora.

    Attributes:
        cells: Every cell, including those that cannot exist.
    """

    cells: Sequence[Cell]
    corpora: Mapping[str, OpenedCorpus]
    request: Request

    @property
    def possible(self) -> list[Cell]:
        """The cells that can exist."""
        return [cell for cell in self.cells if cell.refused is None]


@own_state()
def make_study(request: Request, plugins: Plugins, settings: Settings) -> Study:
    """Look up everything that a request names, without reading audio or weights.

    Raises:
        NserbenchError: if something is missing, or the request contradicts itself.
    """
    upstreams = read_upstreams(request.upstreams, plugins, request.finetune)
    downstreams = read_names(request.downstreams, plugins.downstreams.bind)
    pairs = read_corpora(request.corpora, request.noises, plugins)
    protocols = {pair.corpus.label: _protocol(pair.corpus, request) for pair in pairs}
    corpora = [
        CorpusCondition(corpus, condition, protocols[corpus.label])
        for corpus, condition in corpus_conditions(pairs, request.snrs)
    ]
    pairs += _training_noises(pairs, protocols)
    missing = Missing()
    with missing.gather():
        cells = make_grid(upstreams, downstreams, corpora, request.seeds)
    with missing.gather():
        read = open_corpora(pairs, request.limit, plugins, settings)
    missing.refuse()
    opened = {
        label: replace(corpus, rule=protocols[label].rule)
        for label, corpus in read.items()
    }
    refuse_two_names({label: one.corpus for label, one in opened.items()}, protocols)
    for label, corpus in opened.items():
        _make_splits(label, corpus)
    cells = [_without_texts(cell, opened[cell.corpus.label].corpus) for cell in cells]
    cells = [_without_unseen(cell, opened[cell.corpus.label]) for cell in cells]
    refuse_all_refused(cells)
    return Study(cells, opened, request)


def _make_splits(label: str, opened: OpenedCorpus) -> None:
    """Make the splits of a corpus and its noises, so that a leak is refused at once.

    Raises:
        BadCorpus: if it cannot be split; the message begins with its label.
        BadSpec: if a noise is too short for so many folds.
    """
    try:
        opened.splits  # noqa: B018 - kept by the corpus
    except BadCorpus as error:
        raise BadCorpus(f"{label}: {error}") from error
    opened.split_noises  # noqa: B018 - likewise


def _training_noises(
    pairs: Sequence[CorpusAndNoise], protocols: Mapping[str, Protocol]
) -> list[CorpusAndNoise]:
    """Return the corpora and noises that protocols train on but do not test."""
    corpora = {pair.corpus.label: pair.corpus for pair in pairs}
    return [
        CorpusAndNoise(corpus, noise)
        for label, corpus in corpora.items()
        if (noise := protocols[label].unseen) is not None
    ]


def _without_unseen(cell: Cell, opened: OpenedCorpus) -> Cell:
    """Refuse a cell whose protocol needs an unseen test noise, if it has none."""
    trained, tested = cell.protocol.unseen, cell.condition.noise
    if cell.refused is not None or trained is None:
        return cell
    if tested is None:
        return cell.refuse(f"clean speech has no SNR to train in {trained} at")
    if tested == trained:
        return cell.refuse(f"{tested} is not unseen: it is in the training set")
    if shared := opened.noises[trained].shared(opened.noises[tested]):
        reason = f"{tested} is not unseen: {trained} is drawn from {shared} as well"
        return cell.refuse(reason)
    return cell


def _without_texts(cell: Cell, corpus: Corpus) -> Cell:
    """Refuse a cell whose upstream reads texts that the corpus does not have."""
    parts = parts_of(cell.upstream).values()
    if not any(
        "texts" in part.card.reads and not transcriber_of(part) for part in parts
    ):
        return cell
    missing = sum(utterance.text is None for utterance in corpus.utterances)
    if cell.refused is not None or not missing:
        return cell
    reason = f"{cell.corpus.label} has no text for {missing} of its utterances"
    return cell.refuse(reason)


def open_corpora(
    pairs: Sequence[CorpusAndNoise],
    limit: int | None,
    plugins: Plugins,
    settings: Settings,
) -> dict[str, OpenedCorpus]:
    """Read each corpus once, with the noises named for it; return them by label.

    Raises:
        CorpusMissing: if a corpus or noise is not on this machine.
        SeveralMissing: if several are not.
        BadCorpus: if a corpus contradicts itself.
        UnknownName: if a noise is not known.
    """
    opened, missing = {}, Missing()
    for label, card in {pair.corpus.label: pair.corpus for pair in pairs}.items():
        names = [pair.noise for pair in pairs if pair.corpus.label == label]
        corpus = None
        with missing.gather():
            corpus = read_corpus(card, limit, settings)
        noises = {}
        for name in dict.fromkeys(filter(None, names)):
            if corpus is None and name not in plugins.noises:
                continue  # it may be a noise of the corpus
            own = corpus.noises if corpus is not None else {}
            with missing.gather():
                file = noise_file(name, own, plugins, settings)
                noises[name] = open_noise(name, file)
        if corpus is not None:
            replaced = (noises.keys() & settings.noises.keys()) - corpus.noises.keys()
            theirs = frozenset(name for name in replaced if name in plugins.noises)
            opened[label] = OpenedCorpus(corpus, noises, replaced=theirs)
    missing.refuse()
    return opened


def read_corpus(
    bound: ConfiguredCard[CorpusCard], limit: int | None, settings: Settings
) -> Corpus:
    """Read a corpus, without the utterances that the user excludes.

    Raises:
        CorpusMissing: if it is not on this machine.
        BadCorpus: if it contradicts itself, or an excluded id is not in it.
    """
    with chdir(Path.cwd()):  # a plugin's reader may leave it
        corpus = bound.card.read(bound.options, settings)
    utterances = list(corpus.utterances)
    if file := bound.options["exclude"]:
        excluded = _ids(file, {utterance.id for utterance in utterances})
        utterances = [u for u in utterances if u.id not in excluded]
    return replace(corpus, utterances=limited(utterances, limit))


def noise_file(
    name: str, own: Mapping[str, Path], plugins: Plugins, settings: Settings
) -> Path:
    """Find a noise in the corpus, then in the user's settings, then in the plugins.

    Args:
        name: Name of the noise.
        own: The noises of the corpus.
        plugins: All plugins.
        settings: The user's settings.

    Returns:
        A file, a folder of files, or a pattern for them; see `open_noise`.

    Raises:
        UnknownName: if no noise has that name.
        CorpusMissing: if its files are not on this machine.
    """
    paths = {**settings.noises, **own}
    if name in paths:
        path = paths[name]
        if not audio_files(path):
            problem = "has no audio files" if path.is_dir() else not_there(path, "file")
            raise CorpusMissing(
                f"the noise {name!r} is set to {path}, which {problem}\n"
                f"  correct it under [noises] in {settings.file}: a file, or a folder"
            )
        return path
    if name not in plugins.noises:
        raise UnknownName(
            "noise",
            name,
            {*paths, *plugins.noises.names},
            f'to add it, write "{name}" = "FILE" under [noises] in {settings.file}',
        )
    return plugins.noises[name].file(settings)


def _protocol(corpus: ConfiguredCard[CorpusCard], request: Request) -> Protocol:
    protocol = read_protocol(request.protocol, corpus.card.protocol)
    return protocol.changed(
        epochs=request.epochs, limit=request.limit, precision=request.precision
    )


def _ids(file: Path, known: set[str]) -> set[str]:
    """Read the ids of a file, one a line."""
    ids = {line for _, line in read_lines(file)}
    if unknown := sorted(ids - known):
        raise BadCorpus(
            f"{file} excludes {unknown[0]!r}, which is not in the corpus"
            + (f", and {len(unknown) - 1} more" if len(unknown) > 1 else "")
        )
    return ids
