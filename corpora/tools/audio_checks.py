"""The doctor's checks of audio: by the header of each file, and by its samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from nserbench.corpora.audio import (
    END_SLACK,
    SAMPLE_RATE,
    audio_digest,
    read_audio,
)
from nserbench.corpora.base import Utterance
from nserbench.corpora.tools.audio_headers import AudioHeader, read_header
from nserbench.corpora.tools.findings import CorpusFinding, about
from nserbench.errors import BadAudio
from nserbench.progress import Progress

LONGEST = 30.0
"""Seconds that Whisper hears; it cuts longer clips."""
SHORTEST = 0.05
"""Seconds; our bound. Less is not one sound of speech, and no frame of some models."""
FULL_SCALE = 0.999
CLIPPED = 0.001
"""Share of samples at full scale from which on we call a clip clipped."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class AudioStatistics:
    """What was seen of a clip's samples.

    Attributes:
        digest: Of the samples, mono at 16 kHz.
        clipped: Share of them at full scale.
    """

    digest: str
    clipped: float


def read_headers(
    utterances: Sequence[Utterance], progress: Progress
) -> dict[Path, AudioHeader | BadAudio]:
    """Read the header of each file once; what cannot be read is what is given."""
    files = list(dict.fromkeys(one.path for one in utterances))
    progress.stage("reading headers", len(files), "files")
    return dict(zip(files, _in_threads(_header, files, progress), strict=True))


def header_findings(
    utterances: Sequence[Utterance], headers: Mapping[Path, AudioHeader | BadAudio]
) -> Iterator[CorpusFinding]:
    """Look at what the headers say.

    Args:
        utterances: Whose files they are.
        headers: As `read_headers` gives them.
    """
    bad = [
        f"{path} {one}" for path, one in headers.items() if isinstance(one, BadAudio)
    ]
    good = {path: one for path, one in headers.items() if isinstance(one, AudioHeader)}
    whole = [one for one in utterances if one.path in good]
    beyond = [one for one in whole if _ends_early(one, good[one.path])]
    bad += [f"{one.path} ends before {one.id} does" for one in beyond]
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
    """List the utterances that are very long or very short."""
    lengths = {
        one.id: seconds(one, header)
        for one in utterances
        if isinstance(header := headers[one.path], AudioHeader)
    }
    odd = [
        f"{name} ({length:.3g} s)"
        for name, length in lengths.items()
        if not SHORTEST <= length <= LONGEST
    ]
    limits = f"{1000 * SHORTEST:.0f} ms or over {LONGEST:.0f} s"
    return about("length", odd, "yellow", f"under {limits}", f"none under {limits}")


def seconds(one: Utterance, header: AudioHeader) -> float:
    """Give how long an utterance is, by the header of its file."""
    end = header.seconds if one.end is None else min(one.end, header.seconds)
    return end - (one.start or 0.0)


def read_sounds(
    utterances: Sequence[Utterance], progress: Progress
) -> dict[str, AudioStatistics | BadAudio]:
    """Decode each utterance, by id; what cannot be decoded is what is given."""
    progress.stage("decoding", len(utterances), "clips")
    found = _in_threads(_sound, utterances, progress)
    return dict(zip((one.id for one in utterances), found, strict=True))


def sound_findings(
    sounds: Mapping[str, AudioStatistics | BadAudio],
) -> Iterator[CorpusFinding]:
    """Look at what the samples are, as `read_sounds` gives them."""
    bad = [str(one) for one in sounds.values() if isinstance(one, BadAudio)]
    good = {
        name: one for name, one in sounds.items() if isinstance(one, AudioStatistics)
    }
    yield about(
        "sound",
        bad,
        "red",
        "not to be decoded, silent, or with NaN",
        "all can be decoded, none is silent or holds NaN",
    )
    clipped = [
        f"{name} ({100 * one.clipped:.1f} %)"
        for name, one in good.items()
        if one.clipped >= CLIPPED
    ]
    share = f"{100 * CLIPPED:g} % of the samples or more at full scale"
    yield about("clipping", clipped, "yellow", share, f"none has {share}")


def copy_findings(
    utterances: Sequence[Utterance],
    sounds: Mapping[str, AudioStatistics | BadAudio],
    tested: Collection[str],
) -> Iterator[CorpusFinding]:
    """Look for the same samples twice: on both sides of a split, or on one.

    Args:
        utterances: Whose sounds they are.
        sounds: As `read_sounds` gives them.
        tested: The folds that are tested against all others.
    """
    same: dict[str, list[Utterance]] = defaultdict(list)
    for one in utterances:
        if isinstance(sound := sounds[one.id], AudioStatistics):
            same[sound.digest].append(one)
    leaks: list[str] = []
    repeats: list[str] = []
    for first, *others in same.values():
        folds = {first.fold, *(one.fold for one in others)}
        leaking = len(folds) > 1 and not folds.isdisjoint(tested)
        found = [f"{one.id} = {first.id}" for one in others]
        (leaks if leaking else repeats).extend(found)
    yield about(
        "copies across folds",
        leaks,
        "red",
        "in training and in test",
        "none is in training and in test",
    )
    yield about(
        "copies",
        repeats,
        "yellow",
        "sounds are there more than once",
        "none on one side",
    )


def _rates(headers: Mapping[Path, AudioHeader]) -> CorpusFinding:
    others = {
        path: one.rate for path, one in headers.items() if one.rate != SAMPLE_RATE
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
    wide = {path: one.channels for path, one in headers.items() if one.channels > 1}
    counts = ", ".join(map(str, sorted(set(wide.values()))))
    trouble = f"of {counts} channels, from which one is made"
    names = [str(path) for path in wide]
    return about("channels", names, "yellow", trouble, "all mono")


def _ends_early(one: Utterance, header: AudioHeader) -> bool:
    if (one.start or 0.0) >= header.seconds:
        return True
    return one.end is not None and one.end > header.seconds + END_SLACK


def _in_threads(
    read: Callable[[Item], Answer], items: Sequence[Item], progress: Progress
) -> list[Answer]:
    found = []
    with ThreadPoolExecutor() as pool:
        for one in pool.map(read, items):
            found.append(one)
            progress.advance()
    return found


def _header(path: Path) -> AudioHeader | BadAudio:
    try:
        return read_header(path)
    except BadAudio as error:
        return error  # so that all are listed, not the first alone


def _sound(one: Utterance) -> AudioStatistics | BadAudio:
    try:
        wave = read_audio(one.path, one.start, one.end, one.channel)
    except BadAudio as error:
        return error
    clipped = float(np.mean(np.abs(wave) >= FULL_SCALE))
    return AudioStatistics(audio_digest(wave), clipped)
