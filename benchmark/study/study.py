"""A study: what was asked for, with every name, file and option looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.cell import Cell, Condition
from nserbench.benchmark.study.grid import (
    CorpusCondition,
    make_grid,
    refuse_all_refused,
)
from nserbench.benchmark.study.lookup import (
    CorpusAndNoise,
    conditions,
    read_names,
    read_places,
    read_upstreams,
    written_by,
)
from nserbench.benchmark.study.protocols import Protocol, read_protocol
from nserbench.benchmark.study.splits import (
    PLAIN,
    Split,
    SplitRule,
    folded,
    limited,
    make_splits,
)
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import Corpus, CorpusCard
from nserbench.corpora.noise.disjoint import NoiseByFold, by_fold
from nserbench.corpora.noise.file_sets import audio_files, open_noise
from nserbench.corpora.noise.mixing import Noise, WholeNoise
from nserbench.errors import BadCorpus, CorpusMissing, UnknownName
from nserbench.settings import Settings
from nserbench.upstreams.side_by_side import parts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was typed.

    Attributes:
        upstreams: Names, each text holding one or more.
        downstreams: Names of heads.
        corpora: Names of corpora, alone or with a noise.
        noises: Noises for the corpora named alone.
        snrs: dB, for every noise.
        protocol: Its name; None for each corpus's default.
        epochs: In place of the protocol's; None to leave it.
        limit: Most utterances of each corpus; None for all.
        seeds: One cell for each.
        finetune: The head to tune the upstreams under, or ``joint`` for each cell's
            own; None to leave them as they came.
        precision: In place of the protocol's; None to leave it.
    """

    upstreams: Sequence[str]
    downstreams: Sequence[str]
    corpora: Sequence[str]
    noises: Sequence[str] = ()
    snrs: Sequence[float] = (0.0,)
    protocol: str | None = None
    epochs: int | None = None
    limit: int | None = None
    seeds: Sequence[int] = (0,)
    finetune: str | None = None
    precision: str | None = None


@dataclass(frozen=True)
class OpenedCorpus:
    """A corpus that was read, with the noises that are wanted.

    Attributes:
        corpus: Its utterances that take part.
        noises: By name, as they were opened.
        rule: How a protocol cuts it.
    """

    corpus: Corpus
    noises: Mapping[str, WholeNoise]
    rule: SplitRule = PLAIN

    @cached_property
    def splits(self) -> list[Split]:
        """Its splits.

        Raises:
            BadCorpus: if there cannot be any, or a speaker would be on both sides.
        """
        return make_splits(self.corpus, self.rule)

    @cached_property
    def laid(self) -> Mapping[str, Noise]:
        """The noises as they are laid under: whole, or cut by folds.

        Raises:
            BadSpec: if there is too little of one for so many folds.
        """
        if not self.rule.disjoint:
            return self.noises
        ones = folded(self.corpus, self.rule).utterances
        folds = {one.id: one.fold for one in ones}
        return {name: by_fold(noise, folds) for name, noise in self.noises.items()}

    def noise(self, condition: Condition) -> Noise | None:
        """Give the noise of a condition; None for clean speech."""
        return None if condition.noise is None else self.laid[condition.noise]

    def refuse_short_noises(self, lengths: Sequence[int]) -> None:
        """Refuse noises that folds would have to loop under most utterances.

        Args:
            lengths: Of the utterances, in samples at 16 kHz.

        Raises:
            BadSpec: if a part of one is shorter than half of the utterances.
        """
        for noise in self.laid.values():
            if isinstance(noise, NoiseByFold):
                noise.refuse_short(int(median(lengths)))


@dataclass(frozen=True, slots=True)
class Study:
    """A grid whose corpora are open.

    Attributes:
        cells: Every cell, those that cannot exist included.
        corpora: By the label of the cell's corpus.
        request: What was asked for.
    """

    cells: Sequence[Cell]
    corpora: Mapping[str, OpenedCorpus]
    request: Request


def make_study(request: Request, plugins: Plugins, settings: Settings) -> Study:
    """Look everything up that can be looked up without decoding speech or weights.

    Raises:
        NserbenchError: if anything asked for is not there, or contradicts itself.
    """
    upstreams = read_upstreams(request.upstreams, plugins, request.finetune)
    downstreams = read_names(request.downstreams, plugins.downstreams.bind)
    places = read_places(request.corpora, request.noises, plugins)
    protocols = {
        place.corpus.label: _protocol(place.corpus, request) for place in places
    }
    fields = [
        CorpusCondition(place.corpus, condition, protocols[place.corpus.label])
        for place in places
        for condition in conditions(place.noise, request.snrs)
    ]
    cells = make_grid(upstreams, downstreams, fields, request.seeds)
    heard = [*places, *_trained_in(places, protocols)]
    opened = {
        label: replace(one, rule=protocols[label].rule)
        for label, one in open_corpora(heard, request.limit, plugins, settings).items()
    }
    for corpus in opened.values():
        corpus.splits  # noqa: B018 - made here, so that a leak is refused at once
        corpus.laid  # noqa: B018 - likewise, where there is too little noise
    cells = [_without_texts(cell, opened[cell.corpus.label].corpus) for cell in cells]
    cells = [_without_unseen(cell, opened[cell.corpus.label]) for cell in cells]
    refuse_all_refused(cells)
    return Study(cells, opened, request)


def _trained_in(
    places: Sequence[CorpusAndNoise], protocols: Mapping[str, Protocol]
) -> list[CorpusAndNoise]:
    """Return where protocols train in a noise that they do not test."""
    asked = {place.corpus.label: place.corpus for place in places}
    return [
        CorpusAndNoise(corpus, noise)
        for label, corpus in asked.items()
        if (noise := protocols[label].unseen) is not None
    ]


def _without_unseen(cell: Cell, opened: OpenedCorpus) -> Cell:
    """Refuse a cell whose test noise is not unseen, or that has none."""
    trained, tested = cell.protocol.unseen, cell.condition.noise
    if cell.refused is not None or trained is None:
        return cell
    if tested is None:
        why = f"clean speech has no SNR at which {trained} could be trained in"
    elif tested == trained:
        why = f"{tested} is not unseen: it is trained in"
    elif shared := opened.noises[trained].shared(opened.noises[tested]):
        why = f"{tested} is not unseen: {trained} is drawn from {shared} as well"
    else:
        return cell
    return replace(cell, groups={}, refused=why)


def _without_texts(cell: Cell, corpus: Corpus) -> Cell:
    """Refuse a cell that is to read texts where the corpus has none."""
    parts = parts_of(cell.upstream).values()
    if not any("texts" in one.card.reads and not written_by(one) for one in parts):
        return cell
    untold = sum(one.text is None for one in corpus.utterances)
    if cell.refused is not None or not untold:
        return cell
    why = f"{cell.corpus.label} has no text for {untold} of its utterances"
    return replace(cell, groups={}, refused=why)


def open_corpora(
    places: Sequence[CorpusAndNoise],
    limit: int | None,
    plugins: Plugins,
    settings: Settings,
) -> dict[str, OpenedCorpus]:
    """Read each corpus once, with the noises wanted for it, by its label.

    Raises:
        CorpusMissing: if a corpus or noise is not on this machine.
        BadCorpus: if a corpus contradicts itself.
        UnknownName: if a noise is not known.
    """
    opened = {}
    for label, bound in {one.corpus.label: one.corpus for one in places}.items():
        corpus = read_corpus(bound, limit, settings)
        names = {one.noise for one in places if one.corpus.label == label}
        noises = {
            name: open_noise(name, noise_file(name, corpus, plugins, settings))
            for name in names
            if name is not None
        }
        opened[label] = OpenedCorpus(corpus, noises)
    return opened


def read_corpus(
    bound: ConfiguredCard[CorpusCard], limit: int | None, settings: Settings
) -> Corpus:
    """Read a corpus, without what the user leaves out.

    Raises:
        CorpusMissing: if it is not on this machine.
        BadCorpus: if it contradicts itself, or an id to leave out is not in it.
    """
    corpus = bound.card.read(bound.options, settings)
    kept = list(corpus.utterances)
    if file := bound.options["exclude"]:
        excluded = _ids(file, {one.id for one in kept})
        kept = [one for one in kept if one.id not in excluded]
    return replace(corpus, utterances=limited(kept, limit))


def noise_file(name: str, corpus: Corpus, plugins: Plugins, settings: Settings) -> Path:
    """Find a noise: the corpus's own, the user's, then those that plugins offer.

    Returns:
        A file, a folder of files, or a pattern for them; see `open_noise`.

    Raises:
        UnknownName: if there is none of that name.
        CorpusMissing: if its files are not on this machine.
    """
    own = {**settings.noises, **corpus.noises}
    if name in own:
        if not audio_files(own[name]):
            what = "holds no audio files" if own[name].is_dir() else "is not a file"
            raise CorpusMissing(
                f"the noise {name!r} is set to {own[name]}, which {what}\n"
                "  correct it under [noises] in nserbench.toml: a file, or a folder"
            )
        return own[name]
    if name not in plugins.noises:
        raise UnknownName(
            "noise",
            name,
            {*own, *plugins.noises.names},
            f'write "{name}" = "FILE" under [noises] in nserbench.toml to add it',
        )
    return plugins.noises[name].file(settings)


def _protocol(corpus: ConfiguredCard[CorpusCard], request: Request) -> Protocol:
    found = read_protocol(request.protocol, corpus.card.protocol)
    return found.changed(
        epochs=request.epochs, limit=request.limit, precision=request.precision
    )


def _ids(file: Path, known: set[str]) -> set[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadCorpus(f"exclude={file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadCorpus(f"exclude={file} is not UTF-8: save it as UTF-8") from error
    ids = {line.strip() for line in lines if line.strip()}
    if unknown := sorted(ids - known):
        raise BadCorpus(
            f"{file} leaves out {unknown[0]!r}, which is not in the corpus"
            + (f", and {len(unknown) - 1} more" if len(unknown) > 1 else "")
        )
    return ids
