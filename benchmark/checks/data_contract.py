"""Check that the reader of a corpus, a noise and an enhancer keep their contracts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.checks.contract import ContractFinding, Outcome, run_checks
from nserbench.benchmark.checks.doctor import examine_corpus, examine_noise
from nserbench.benchmark.checks.upstream_contract import CLIPS
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.plugins.side_by_side import side_by_side
from nserbench.cards import ConfiguredCard
from nserbench.corpora.base import Corpus, CorpusCard
from nserbench.corpora.demo.demo import synthesise
from nserbench.corpora.noise.file_sets import audio_files
from nserbench.corpora.tools.findings import CorpusFinding
from nserbench.option_values import content_digest, refuse_folders
from nserbench.progress import Silent
from nserbench.settings import Settings
from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard
from nserbench.upstreams.thread_safety import is_thread_safe

_SHOWN = 3  # names in one finding
Facts = dict[str, tuple[object, ...]]


def check_corpus(
    bound: ConfiguredCard[CorpusCard], settings: Settings
) -> list[ContractFinding]:
    """Read a corpus three times, and check labels, ids, folds and files.

    Raises:
        NserbenchError: if it cannot be read.
    """
    found = run_checks(_CORPUS_CHECKS, _Reading(bound, settings))
    report = examine_corpus(bound, settings, False, Silent())
    by_name = {one.check: one for one in report.findings}
    return found + [_as_contract(by_name[name]) for name in ("folds", "files")]


def check_noise(
    name: str, plugins: Plugins, settings: Settings
) -> list[ContractFinding]:
    """Check that a noise is an audio file with sound, and the same each time."""
    report = examine_noise(name, plugins, settings, True, Silent())
    found = [
        _as_contract(one)
        for one in report.findings
        if one.check in ("reading", "files", "sound")
    ]
    if len(found) == 1:
        return found
    again = run_checks({"same when asked again": _same_file}, (name, plugins, settings))
    return found + again


def check_enhancer(
    bound: ConfiguredCard[EnhancerCard], device: str
) -> list[ContractFinding]:
    """Load an enhancer, and run it on three clips.

    Raises:
        NserbenchError: if it cannot be loaded.
    """
    enhancer = bound.card.open(bound.options, device)
    return run_checks(_ENHANCER_CHECKS, _Enhancing(enhancer))


def _as_contract(finding: CorpusFinding) -> ContractFinding:
    names = "".join(f"\n{name}" for name in finding.names[:_SHOWN])
    passed = finding.severity != "red"
    return ContractFinding(finding.check, passed, finding.detail + names)


@dataclass
class _Reading:
    """A corpus that is read."""

    bound: ConfiguredCard[CorpusCard]
    settings: Settings

    def read(self, settings: Settings) -> Corpus:
        """Read the corpus once more."""
        return self.bound.card.read(self.bound.options, settings)

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus, as read first."""
        return self.read(self.settings)


def _classes(trial: _Reading) -> Outcome:
    corpus = trial.corpus
    counts = dict.fromkeys(corpus.classes, 0)
    for utterance in corpus.utterances:
        counts[utterance.label] += 1
    listed = ", ".join(f"{count} {label}" for label, count in counts.items())
    return all(counts.values()), listed


def _facts(corpus: Corpus) -> Facts:
    """Return what must not change between two readings, by id."""
    return {
        one.id: (one.label, one.speaker, one.fold, one.start, one.end, one.text)
        for one in corpus.utterances
    }


def _compared(first: Corpus, second: Corpus) -> Outcome:
    one, other = _facts(first), _facts(second)
    if changed := sorted(one.keys() ^ other.keys()):
        return False, f"{len(changed)} ids differ, such as {changed[0]}"
    if changed := sorted(name for name in one if one[name] != other[name]):
        name = changed[0]
        return False, f"{name} was {one[name]} and then {other[name]}"
    return True, f"{len(one)} ids with label, speaker, fold and text"


def _again(trial: _Reading) -> Outcome:
    return _compared(trial.corpus, trial.read(trial.settings))


def _moved(trial: _Reading) -> Outcome:
    """Read the corpus by another path to the same folder."""
    name = trial.bound.card.name
    if (folder := trial.settings.path(name)) is None:
        return None, f"no folder of {name} is set"
    with tempfile.TemporaryDirectory(prefix="nserbench-") as elsewhere:
        link = Path(elsewhere) / "moved"
        try:
            link.symlink_to(folder.resolve(), target_is_directory=True)
        except OSError as error:  # Windows allows links only to some users
            return None, f"no link to its folder can be made here: {error.strerror}"
        moved = trial.read(trial.settings.using(**{name: link}))
    return _compared(trial.corpus, moved)


def _no_paths(trial: _Reading) -> Outcome:
    for utterance in trial.corpus.utterances:
        for text in (utterance.id, utterance.label, utterance.speaker, utterance.fold):
            try:
                refuse_folders(text, text)
            except ValueError:
                return False, f"{text} is written to results, which others read"
    return True, "in no id, label, speaker or fold"


_CORPUS_CHECKS: Mapping[str, Callable[[_Reading], Outcome]] = {
    "each class has utterances": _classes,
    "same when read again": _again,
    "same when the folder is moved": _moved,
    "no folder of this machine": _no_paths,
}


def _same_file(trial: tuple[str, Plugins, Settings]) -> Outcome:
    name, plugins, settings = trial
    if name in settings.noises:
        return None, "a noise of your settings"
    readings = []
    for _ in range(2):
        path = plugins.noises[name].file(settings)
        contents = {file: content_digest(file) for file in audio_files(path)}
        readings.append((path, contents))
    return readings[0] == readings[1], "path and content"


@dataclass
class _Enhancing:
    """An enhancer, and three clips."""

    enhancer: Enhancer

    @cached_property
    def clips(self) -> list[NDArray[np.float32]]:
        """Synthetic utterances of different length."""
        waves = [synthesise(name).astype(np.float32) for name in CLIPS]
        return [np.tile(wave, times) for times, wave in enumerate(waves, start=1)]

    @cached_property
    def enhanced(self) -> list[NDArray[np.float32]]:
        """What the enhancer returns for each of them."""
        return [self.enhancer.enhance(wave.copy()) for wave in self.clips]


def _returns_waves(trial: _Enhancing) -> Outcome:
    silent = sum(not wave.any() for wave in trial.enhanced)
    if silent:
        return False, f"{silent} of {len(CLIPS)} clips are silent"
    return True, "as many finite samples as it gets"


def _repeatable(trial: _Enhancing) -> Outcome:
    for wave, before in zip(
        reversed(trial.clips), reversed(trial.enhanced), strict=True
    ):
        if not np.array_equal(trial.enhancer.enhance(wave.copy()), before):
            return False, "other samples when the clips come in another order"
    return True, "in another order"


def _input(trial: _Enhancing) -> Outcome:
    wave = trial.clips[0].copy()
    trial.enhancer.enhance(wave)
    return np.array_equal(wave, trial.clips[0]), "the wave is left as it was"


def _in_threads(trial: _Enhancing) -> Outcome:
    if not is_thread_safe(trial.enhancer):
        return None, "not said to be thread-safe"
    order = [*range(len(CLIPS))] * len(CLIPS)

    def enhance(clip: int) -> NDArray[np.float32]:
        return trial.enhancer.enhance(trial.clips[clip].copy())

    with side_by_side(enhance, order, len(CLIPS)) as results:
        waves = [result() for result in results]
    same = all(
        np.array_equal(wave, trial.enhanced[clip])
        for clip, wave in zip(order, waves, strict=True)
    )
    return same, f"{len(CLIPS)} threads"


_ENHANCER_CHECKS: Mapping[str, Callable[[_Enhancing], Outcome]] = {
    "returns waves": _returns_waves,
    "same values when repeated": _repeatable,
    "keeps its input": _input,
    "same in several threads": _in_threads,
}
