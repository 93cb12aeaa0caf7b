"""Check that corpora and noises are complete and readable on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.name_lookup import corpus_or_noise
from nserbench.benchmark.study.overlap import overlap
from nserbench.benchmark.study.splits import make_splits
from nserbench.benchmark.study.study import noise_file, read_corpus
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import Corpus, CorpusCard, Utterance
from nserbench.corpora.noise.cards import DEMAND_NOISES
from nserbench.corpora.noise.file_sets import audio_files
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.corpora.tools.audio_checks import (
    copy_findings,
    gap_finding,
    header_findings,
    length_finding,
    read_headers,
    read_sounds,
    sound_findings,
)
from nserbench.corpora.tools.findings import (
    CorpusFinding,
    CorpusReport,
    Severity,
    about,
)
from nserbench.errors import BadCorpus, CorpusMissing, NserbenchError
from nserbench.progress import Progress
from nserbench.quantities import counted
from nserbench.settings import Settings
from nserbench.spec import Spec, parse_specs

DEMAND = "demand"


def examine(
    names: Sequence[str],
    plugins: Plugins,
    settings: Settings,
    deep: bool,
    progress: Progress,
) -> Iterator[CorpusReport]:
    """Check corpora one after another.

    Args:
        names: Corpora as typed, with options, noises, or ``demand``. If empty, all
            corpora whose folder is set, DEMAND, and the own corpora and noises of the
            settings.
        deep: Whether to decode the audio, too.

    Raises:
        UnknownName: if a corpus or an option does not exist; before the first is read.
        NserbenchError: if no corpus is named and no folder is set.
    """
    specs = [spec for name in names for spec in parse_specs(name)]
    specs = specs or _corpora_with_folder(plugins, settings)
    noises = {DEMAND, *settings.noises, *plugins.noises.names}
    for found in [corpus_or_noise(spec, noises, plugins) for spec in specs]:
        if isinstance(found, ConfiguredCard):
            yield examine_corpus(found, settings, deep, progress)
        elif found == DEMAND:
            yield _examine_demand(plugins, settings, deep, progress)
        else:
            yield examine_noise(found, plugins, settings, deep, progress)


def examine_corpus(
    bound: ConfiguredCard[CorpusCard],
    settings: Settings,
    deep: bool,
    progress: Progress,
) -> CorpusReport:
    """Check one corpus; an error of its reader is a red finding."""
    try:
        corpus = whole = bound.card.read(bound.options, settings)
        if bound.options["exclude"]:
            corpus = read_corpus(bound, None, settings)
    except NserbenchError as error:
        return CorpusReport(bound.label, [_unreadable(str(error))])
    excluded = len(whole.utterances) - len(corpus.utterances)
    findings = [
        _reading(corpus, excluded),
        _counts(bound, whole),
        _names(corpus),
        _skipped(corpus),
        *_folds(corpus),
        _texts(corpus),
        *_audio(corpus.utterances, deep, progress, corpus.tested or corpus.folds),
    ]
    return CorpusReport(bound.label, findings)


def _examine_demand(
    plugins: Plugins, settings: Settings, deep: bool, progress: Progress
) -> CorpusReport:
    """Check the recordings of DEMAND: of each, the file that is added to speech."""
    noises: list[Utterance] = []
    errors: dict[str, str] = {}
    for name in DEMAND_NOISES:
        try:
            path = plugins.noises[name].file(settings)
        except CorpusMissing as error:
            errors[name] = str(error)
        else:
            noises.append(Utterance(id=name, path=path, label="", speaker="", fold=""))
    if not noises:
        return CorpusReport(DEMAND, [_unreadable(next(iter(errors.values())))])
    missing = about("recordings", list(errors), "yellow", "missing", "none is missing")
    return CorpusReport(DEMAND, [missing, *_noise_audio(noises, deep, progress)])


def examine_noise(
    name: str, plugins: Plugins, settings: Settings, deep: bool, progress: Progress
) -> CorpusReport:
    """Check the file of a noise, or all files of its folder or pattern."""
    try:
        path = noise_file(name, {}, plugins, settings)
    except NserbenchError as error:
        return CorpusReport(name, [_unreadable(str(error))])
    files = sorted(audio_files(path))
    noises = [
        Utterance(id=str(file), path=file, label="", speaker="", fold="")
        for file in files
    ]
    found = "1 audio file" if len(files) == 1 else f"{len(files)} audio files"
    reading = CorpusFinding("reading", "green", f"{found}: {path}")
    return CorpusReport(name, [reading, *_noise_audio(noises, deep, progress)])


def _unreadable(reason: str) -> CorpusFinding:
    return CorpusFinding("reading", "red", reason)


def _reading(corpus: Corpus, excluded: int) -> CorpusFinding:
    used, classes = len(corpus.utterances), len(corpus.classes)
    known = used + excluded + len(corpus.left_out)
    rows, unused = "", 0
    if corpus.rows is not None:
        rows, unused = f" of {counted(corpus.rows, 'row')}", corpus.rows - known
    parts = (
        f"{counted(used, 'utterance')}{rows} in {classes} class{'es' * (classes != 1)}",
        corpus.edition and f"edition {corpus.edition}",
        f"{excluded} left out by exclude=" if excluded else "",
        f"{counted(unused, 'row')} of other labels" if unused > 0 else "",
    )
    return CorpusFinding("reading", "green", ", ".join(filter(None, parts)))


def _counts(bound: ConfiguredCard[CorpusCard], corpus: Corpus) -> CorpusFinding:
    """Compare the corpus with the published counts of its edition."""
    if bound.card.expects is None:
        return CorpusFinding("counts", "green", "no published counts to compare with")
    editions: tuple[PublishedCounts, ...] = bound.card.resolve(bound.card.expects)(
        bound.options
    )
    published = [counts for counts in editions if counts.edition == corpus.edition]
    if not published:
        unknown = f"no published counts of edition {corpus.edition!r}"
        return CorpusFinding("counts", "yellow", unknown)
    return about(
        "counts",
        published[0].differences(corpus),
        "red",
        "differ from the published counts",
        "as published, for every class, fold and speaker",
    )


def _names(corpus: Corpus) -> CorpusFinding:
    return about("names", corpus.warnings, "yellow", "may be wrong", "none is doubtful")


def _skipped(corpus: Corpus) -> CorpusFinding:
    reasons = [f"{name}: {reason}" for name, reason in corpus.left_out.items()]
    return about("skipped", reasons, "yellow", "skipped by the reader", "none")


def _folds(corpus: Corpus) -> Iterator[CorpusFinding]:
    """Look for speakers and texts that are in both the training and the test set."""
    try:
        splits = make_splits(corpus)
    except BadCorpus as error:
        yield CorpusFinding("folds", "red", str(error))
        return
    count = "1 split" if len(splits) == 1 else f"{len(splits)} splits"
    detail = f"{count}, no {corpus.unit} in both training and test"
    yield CorpusFinding("folds", "green", detail)
    shared = overlap(corpus, splits)
    severity: Severity = "green" if shared.speakers == 0 else "yellow"
    yield CorpusFinding("overlap", severity, str(shared))


def _texts(corpus: Corpus) -> CorpusFinding:
    missing = [one.id for one in corpus.utterances if one.text is None]
    if len(missing) == len(corpus.utterances):
        none = "the corpus has none; only text=reference and word errors need them"
        return CorpusFinding("texts", "green", none)
    bad, fine = "utterances without a text", "every utterance has one"
    return about("texts", missing, "yellow", bad, fine)


def _audio(
    utterances: Sequence[Utterance],
    deep: bool,
    progress: Progress,
    tested: Sequence[str],
) -> Iterator[CorpusFinding]:
    """Check files, durations and, if ``deep``, samples and copies of speech."""
    headers = read_headers(utterances, progress)
    yield from header_findings(utterances, headers)
    yield length_finding(utterances, headers)
    if deep:
        sounds = read_sounds(utterances, progress)
        yield from sound_findings(sounds)
        yield from copy_findings(utterances, sounds, tested)


def _noise_audio(
    noises: Sequence[Utterance], deep: bool, progress: Progress
) -> Iterator[CorpusFinding]:
    """Check files and, if ``deep``, samples of noises."""
    yield from header_findings(noises, read_headers(noises, progress))
    if deep:
        sounds = read_sounds(noises, progress, "replace the file")
        yield from sound_findings(sounds)
        yield gap_finding(sounds)


def _corpora_with_folder(plugins: Plugins, settings: Settings) -> list[Spec]:
    """Return the corpora without required options, DEMAND and noises that are set."""
    names = [
        card.name
        for card in plugins.corpora
        if not any(option.required for option in card.all_options().values())
    ]
    with_folder = [name for name in [*names, DEMAND] if settings.path(name) is not None]
    named = [*with_folder, *settings.corpora, *settings.noises]
    if not named:
        raise NserbenchError(
            "no corpus is named, and the folder of none is set\n"
            "  name one, such as `nserbench doctor demo`,\n"
            '  or write iemocap = "/path/to/iemocap" under [paths] in '
            f"{settings.file}"
        )
    return [Spec(name) for name in named]
