"""The doctor's checks of audio: the header of each file, and its samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nserbench.corpora.audio import (
    END_SLACK,
    REMEDY,
    SAMPLE_RATE,
    audio_digest,
    read_utterance,
)
from nserbench.corpora.audio_headers import AudioHeader, read_header
from nserbench.corpora.base import Utterance
from nserbench.corpora.levels import LEVEL_CHECKS, QUIETEST, Levels, decibels
from nserbench.corpora.threads import map_in_threads
from nserbench.corpora.tools.findings import CorpusFinding, about
from nserbench.errors import BadAudio
from nserbench.progress import Progress

LONGEST = 30.0
"""Seconds; the window of Whisper, which cuts longer clips."""
SHORTEST = 0.05
"""Seconds; our limit. Shorter clips have no phone, and no frame in some models."""
FULL_SCALE = 0.999
CLIPPED = 0.001
"""A clip counts as clipped if at least this share of its samples is at full scale."""


@dataclass(frozen=True, slots=True)
class AudioStatistics:
    """What the checks need of a clip's samples.

    Attributes:
        digest: Digest of the samples, mono at 16 kHz.
        clipped: Share of samples at full scale.
        levels: How loud it is.
        quietest: RMS of its quietest second.
    """

    digest: str
    clipped: float
    levels: Levels
    quietest: float


def read_headers(
    utterances: Sequence[Utterance], progress: Progress
) -> dict[Path, AudioHeader | BadAudio]:
    """Read the header of each file once, or the error of a file that has none."""
    files = list(dict.fromkeys(utterance.path for utterance in utterances))
    headers = map_in_threads(
        _header, files, progress, stage="reading headers", unit="files"
    )
    return dict(zip(files, headers, strict=True))


def header_findings(
    utterances: Sequence[Utterance], headers: Mapping[Path, AudioHeader | BadAudio]
) -> Iterator[CorpusFinding]:
    """Check files, sample rates and channels by their headers.

    Args:
        headers: As `read_headers` returns them.
    """
    firsts = {one.path: one for one in reversed(utterances)}
    bad = [
        firsts[path].located(f"{path} {header}")
        for path, header in headers.items()
        if isinstance(header, BadAudio)
    ]
    good = {
        path: header
        for path, header in headers.items()
        if isinstance(header, AudioHeader)
    }
    bad += [
        utterance.located(f"{utterance.path} ends before {utterance.id} does")
        for utterance in utterances
        if utterance.path in good and _ends_early(utterance, good[utterance.path])
    ]
    yield about(
        "files",
        bad,
        "red",
        "cannot be used",
        f"{len(good)} are there, and none is cut off",
    )
    yield _rates(good)
    yield _channels(good)


def length_finding(
    utterances: Sequence[Utterance], headers: Mapping[Path, AudioHeader | BadAudio]
) -> CorpusFinding:
    """List the utterances that are very short or very long."""
    lengths = {
        utterance.id: seconds(utterance, header)
        for utterance in utterances
        if isinstance(header := headers[utterance.path], AudioHeader)
    }
    odd = [
        f"{name} ({length:.3g} s)"
        for name, length in lengths.items()
        if not SHORTEST <= length <= LONGEST
    ]
    limits = f"{1000 * SHORTEST:.0f} ms or over {LONGEST:.0f} s"
    return about("length", odd, "yellow", f"under {limits}", f"none under {limits}")


def seconds(utterance: Utterance, header: AudioHeader) -> float:
    """Return the length of an utterance in seconds, by the header of its file."""
    end = header.seconds if utterance.end is None else utterance.end
    return min(end, header.seconds) - (utterance.start or 0.0)


def read_sounds(
    utterances: Sequence[Utterance], progress: Progress, remedy: str = REMEDY
) -> dict[str, AudioStatistics | BadAudio]:
    """Decode each utterance, by id; the value is an error if it cannot be decoded.

    Args:
        utterances: The utterances, or noises in their place.
        progress: Receives every step.
        remedy: Advice for those that cannot be decoded.
    """
    decode = partial(_sound, remedy=remedy)
    sounds = map_in_threads(
        decode, utterances, progress, stage="decoding", unit="clips"
    )
    names = (utterance.id for utterance in utterances)
    return dict(zip(names, sounds, strict=True))


def sound_findings(
    sounds: Mapping[str, AudioStatistics | BadAudio],
) -> Iterator[CorpusFinding]:
    """Check the samples of clips, as `read_sounds` returns them."""
    bad = [str(sound) for sound in sounds.values() if isinstance(sound, BadAudio)]
    good = {
        name: sound
        for name, sound in sounds.items()
        if isinstance(sound, AudioStatistics)
    }
    yield about(
        "sound",
        bad,
        "red",
        "not decodable, silent, or with NaN",
        "all can be decoded, none is silent or has NaN",
    )
    for check in LEVEL_CHECKS:
        odd = [
            check.describe(name, sound.levels)
            for name, sound in good.items()
            if check.finds(sound.levels)
        ]
        yield about(check.name, odd, "yellow", check.trouble, check.fine)
    clipped = [
        f"{name} ({100 * sound.clipped:.1f} %)"
        for name, sound in good.items()
        if sound.clipped >= CLIPPED
    ]
    share = f"{100 * CLIPPED:g} % of the samples or more at full scale"
    yield about("clipping", clipped, "yellow", share, f"none has {share}")


def gap_finding(sounds: Mapping[str, AudioStatistics | BadAudio]) -> CorpusFinding:
    """List the noises that are almost silent for a second or longer.

    Args:
        sounds: As `read_sounds` returns them.
    """
    quiet = [
        f"{name} ({decibels(sound.quietest):.1f} dBFS)"
        for name, sound in sounds.items()
        if isinstance(sound, AudioStatistics) and decibels(sound.quietest) < QUIETEST
    ]
    limit = f"under {QUIETEST:g} dBFS"
    trouble = f"RMS {limit} for a second, which would be amplified to the SNR"
    return about("gaps", quiet, "yellow", trouble, f"no second {limit}")


def copy_findings(
    utterances: Sequence[Utterance],
    sounds: Mapping[str, AudioStatistics | BadAudio],
    tested: Collection[str],
) -> Iterator[CorpusFinding]:
    """Look for utterances with the same samples, across folds or within one.

    Args:
        sounds: As `read_sounds` returns them.
        tested: The folds that are test sets, against all others.
    """
    same: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if isinstance(sound := sounds[utterance.id], AudioStatistics):
            same[sound.digest].append(utterance)
    leaks: list[str] = []
    repeats: list[str] = []
    for first, *others in same.values():
        folds = {first.fold, *(other.fold for other in others)}
        is_leak = len(folds) > 1 and not folds.isdisjoint(tested)
        pairs = [f"{other.id} = {first.id}" for other in others]
        (leaks if is_leak else repeats).extend(pairs)
    yield about(
        "copies across folds",
        leaks,
        "red",
        "in training and test set",
        "none is in training and test set",
    )
    yield about(
        "copies",
        repeats,
        "yellow",
        "same samples more than once",
        "none within a training or test set",
    )


def _rates(headers: Mapping[Path, AudioHeader]) -> CorpusFinding:
    others = {
        path: header.rate
        for path, header in headers.items()
        if header.rate != SAMPLE_RATE
    }
    rates = ", ".join(f"{rate / 1000:g} kHz" for rate in sorted(set(others.values())))
    return about(
        "rate",
        [str(path) for path in others],
        "yellow",
        f"resampled from {rates}",
        f"all {SAMPLE_RATE / 1000:g} kHz",
    )


def _channels(headers: Mapping[Path, AudioHeader]) -> CorpusFinding:
    several = {
        path: header.channels for path, header in headers.items() if header.channels > 1
    }
    counts = ", ".join(map(str, sorted(set(several.values()))))
    trouble = f"of {counts} channels, converted to mono"
    names = [str(path) for path in several]
    return about("channels", names, "yellow", trouble, "all mono")


def _ends_early(utterance: Utterance, header: AudioHeader) -> bool:
    start, end = utterance.start or 0.0, utterance.end or 0.0
    return start >= header.seconds or end > header.seconds + END_SLACK


def _header(path: Path) -> AudioHeader | BadAudio:
    try:
        return read_header(path)
    except BadAudio as error:
        return error  # so that all errors are listed, not only the first


def _sound(utterance: Utterance, remedy: str) -> AudioStatistics | BadAudio:
    try:
        sound = read_utterance(utterance, remedy=remedy)
    except BadAudio as error:
        return error
    clipped = float(np.mean(np.abs(sound.wave) >= FULL_SCALE))
    digest, quietest = audio_digest(sound.wave), _quietest_second(sound.wave)
    return AudioStatistics(digest, clipped, sound.levels, quietest)


def _quietest_second(wave: NDArray[np.float32]) -> float:
    """Return the lowest RMS, without the mean, of the whole seconds of a wave."""
    seconds = len(wave) // SAMPLE_RATE
    parts = wave[: seconds * SAMPLE_RATE].reshape(seconds, -1) if seconds else [wave]
    return min(float(part.std(dtype=np.float64)) for part in parts)
