"""Whether a corpus, or the noises of DEMAND, are whole and sound on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.overlap import overlap
from nserbench.benchmark.study.splits import make_splits
from nserbench.benchmark.study.study import read_corpus
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import Corpus, CorpusCard, Utterance
from nserbench.corpora.noise.cards import DEMAND_NOISES
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.corpora.tools.audio_checks import (
    copy_findings,
    header_findings,
    length_finding,
    read_headers,
    read_sounds,
    sound_findings,
)
from nserbench.corpora.tools.findings import CorpusFinding, CorpusReport, about
from nserbench.errors import BadCorpus, CorpusMissing, NserbenchError
from nserbench.progress import Progress
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
    """Look at corpora one after another.

    Args:
        names: Corpora as typed, with options, or ``demand``; all whose folders are
            set if empty.
        plugins: Where the corpora are.
        settings: Where their folders are set.
        deep: Whether to decode the audio, too.
        progress: Hears of every file.

    Raises:
        UnknownName: if there is no such corpus or option; before the first is read.
        NserbenchError: if none is named and no folder is set.
    """
    specs = [spec for name in names for spec in parse_specs(name)]
    specs = specs or _asked(plugins, settings)
    wanted = [
        None if spec.name == DEMAND else plugins.corpora.bind(spec) for spec in specs
    ]
    for bound in wanted:
        if bound is None:
            yield examine_demand(plugins, settings, deep, progress)
        else:
            yield examine_corpus(bound, settings, deep, progress)


def examine_corpus(
    bound: ConfiguredCard[CorpusCard],
    settings: Settings,
    deep: bool,
    progress: Progress,
) -> CorpusReport:
    """Look at one corpus; what its reader refuses is a red finding."""
    try:
        whole = bound.card.read(bound.options, settings)
        corpus = whole
        if bound.options["exclude"]:
            corpus = read_corpus(bound, None, settings)
    except NserbenchError as error:
        return CorpusReport(bound.label, [_refusal(str(error))])
    excluded = len(whole.utterances) - len(corpus.utterances)
    findings = [
        _reading(corpus, excluded),
        _counts(bound, whole),
        _left_out(corpus),
        *_folds(corpus),
        _texts(corpus),
        *_audio(corpus.utterances, deep, progress, corpus.tested or corpus.folds),
    ]
    return CorpusReport(bound.label, findings)


def examine_demand(
    plugins: Plugins, settings: Settings, deep: bool, progress: Progress
) -> CorpusReport:
    """Look at the recordings of DEMAND, at the file of each that is laid under."""
    found: list[Utterance] = []
    missing: dict[str, str] = {}
    for name in DEMAND_NOISES:
        try:
            path = plugins.noises[name].file(settings)
        except CorpusMissing as error:
            missing[name] = str(error)
        else:
            found.append(Utterance(id=name, path=path, label="", speaker="", fold=""))
    if not found:
        return CorpusReport(DEMAND, [_refusal(next(iter(missing.values())))])
    lacking = about("recordings", list(missing), "yellow", "not there", "all are there")
    return CorpusReport(DEMAND, [lacking, *_audio(found, deep, progress)])


def _refusal(reason: str) -> CorpusFinding:
    return CorpusFinding("reading", "red", reason)


def _reading(corpus: Corpus, excluded: int) -> CorpusFinding:
    parts = (
        f"{len(corpus.utterances)} utterances in {len(corpus.classes)} classes",
        corpus.edition and f"edition {corpus.edition}",
        f"{excluded} left out by exclude=" if excluded else "",
    )
    return CorpusFinding("reading", "green", ", ".join(filter(None, parts)))


def _counts(bound: ConfiguredCard[CorpusCard], corpus: Corpus) -> CorpusFinding:
    """Compare with what is published of the edition that was found."""
    if bound.card.expects is None:
        return CorpusFinding("counts", "green", "nothing published to compare with")
    editions: tuple[PublishedCounts, ...] = bound.card.resolve(bound.card.expects)(
        bound.options
    )
    published = [one for one in editions if one.edition == corpus.edition]
    if not published:
        unknown = f"nothing published of edition {corpus.edition!r}"
        return CorpusFinding("counts", "yellow", unknown)
    return about(
        "counts",
        published[0].differences(corpus),
        "red",
        "other than published",
        "as published, of every class, fold and speaker",
    )


def _left_out(corpus: Corpus) -> CorpusFinding:
    reasons = [f"{name}: {reason}" for name, reason in corpus.left_out.items()]
    return about("left out", reasons, "yellow", "not taking part", "none")


def _folds(corpus: Corpus) -> Iterator[CorpusFinding]:
    """Look for what stands on both sides of a split."""
    try:
        splits = make_splits(corpus)
    except BadCorpus as error:
        yield CorpusFinding("folds", "red", str(error))
        return
    said = "1 split" if len(splits) == 1 else f"{len(splits)} splits"
    yield CorpusFinding("folds", "green", f"{said}, no {corpus.unit} on both sides")
    both = overlap(corpus, splits)
    yield CorpusFinding(
        "overlap", "green" if both.speakers == 0 else "yellow", str(both)
    )


def _texts(corpus: Corpus) -> CorpusFinding:
    silent = [one.id for one in corpus.utterances if one.text is None]
    if len(silent) == len(corpus.utterances):
        return CorpusFinding(
            "texts", "yellow", "the corpus has none: no text=reference"
        )
    return about(
        "texts", silent, "yellow", "utterances without one", "every utterance has one"
    )


def _audio(
    utterances: Sequence[Utterance],
    deep: bool,
    progress: Progress,
    tested: Sequence[str] = (),
) -> Iterator[CorpusFinding]:
    """Look at files and, where asked, at samples; at lengths and copies of speech."""
    headers = read_headers(utterances, progress)
    yield from header_findings(utterances, headers)
    if tested:
        yield length_finding(utterances, headers)
    if deep:
        sounds = read_sounds(utterances, progress)
        yield from sound_findings(sounds)
        if tested:
            yield from copy_findings(utterances, sounds, tested)


def _asked(plugins: Plugins, settings: Settings) -> list[Spec]:
    """Give what can be read without options, and whose folder is set."""
    names = [
        card.name
        for card in plugins.corpora
        if not any(option.required for option in card.all_options().values())
    ]
    if found := [name for name in [*names, DEMAND] if settings.path(name) is not None]:
        return [Spec(name) for name in found]
    raise NserbenchError(
        "no corpus is named, and the folder of none is set\n"
        "  nserbench doctor demo\n"
        '  or write iemocap = "/path/to/iemocap" under [paths] in nserbench.toml'
    )
