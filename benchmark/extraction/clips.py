"""Read, check and digest all audio of a corpus before the slow work starts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.store.file_facts import FileFact, FileFacts, state_of
from nserbench.corpora.audio import SAMPLE_RATE, audio_digest, read_utterance
from nserbench.corpora.base import Utterance
from nserbench.corpora.levels import LEVEL_CHECKS, Levels
from nserbench.corpora.threads import map_in_threads
from nserbench.corpora.tools.audio_checks import SHORTEST
from nserbench.errors import BadAudio
from nserbench.paths import is_file
from nserbench.plain_data import parse_json
from nserbench.progress import Progress

_AUDIO = "audio and levels"
_SHOWN = 20  # bad files named in one message


_Facts: TypeAlias = tuple[str, int, float, float, float]


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance whose audio has been read and can be used.

    Attributes:
        digest: Digest of the decoded audio, mono at 16 kHz.
        samples: Number of samples at 16 kHz.
        levels: How loud it is.
    """

    utterance: Utterance
    digest: str
    samples: int
    levels: Levels

    def read(self) -> NDArray[np.float32]:
        """Read the audio again, ``(samples,)``.

        Raises:
            BadAudio: if it cannot be read, or is not what was digested.
        """
        wave = read_utterance(self.utterance).wave
        if audio_digest(wave) != self.digest:
            raise BadAudio(
                f"{self.utterance.path} has changed since this command began\n"
                "  run it again: features of the new audio are stored separately"
            )
        return wave


def read_clips(
    utterances: Sequence[Utterance], file_facts: FileFacts, progress: Progress
) -> list[Clip]:
    """Read, check and digest the audio of every utterance, in the order given.

    Files that have not changed since they were last read are not read again.

    Raises:
        BadAudio: if any file cannot be used; the message names the files.
    """
    paths = {utterance.path for utterance in utterances if is_file(utterance.path)}
    known = {
        path: parse_json(fact) for path, fact in file_facts.known(_AUDIO, paths).items()
    }
    new = [
        utterance
        for utterance in utterances
        if _segment(utterance) not in known.get(utterance.path, {})
    ]
    states = {utterance.path: _state(utterance.path) for utterance in new}
    problems, changed = dict[str, str](), set()
    read = map_in_threads(_read, new, progress, stage="reading audio", unit="clips")
    for utterance, audio in zip(new, read, strict=True):
        if isinstance(audio, BadAudio):
            problems.setdefault(str(audio), utterance.located(str(audio)))
        else:
            known.setdefault(utterance.path, {})[_segment(utterance)] = audio
            changed.add(utterance.path)
    file_facts.save(
        FileFact(_AUDIO, path, states[path], json.dumps(known[path]))
        for path in changed
    )
    if problems:
        _refuse([*problems.values()])
    return [_clip(u, *known[u.path][_segment(u)]) for u in utterances]


def _clip(utterance: Utterance, digest: str, samples: int, *levels: float) -> Clip:
    return Clip(utterance, digest, samples, Levels(*levels))


def clips_over(clips: Sequence[Clip], longest: int | None) -> list[Clip]:
    """Return the clips of more samples than an upstream takes; none without a limit."""
    return [clip for clip in clips if longest is not None and clip.samples > longest]


def clip_notes(clips: Sequence[Clip]) -> list[str]:
    """Return what a user should know about the levels and lengths of clips."""
    notes = []
    for check in LEVEL_CHECKS:
        found = [clip for clip in clips if check.finds(clip.levels)]
        names = [check.describe(clip.utterance.id, clip.levels) for clip in found]
        notes.append(_note(check.trouble, names, len(clips)))
    short = [clip for clip in clips if clip.samples < SHORTEST * SAMPLE_RATE]
    names = [f"{clip.utterance.id} ({clip.samples} samples)" for clip in short]
    notes.append(_note(f"under {1000 * SHORTEST:g} ms", names, len(clips)))
    return [note for note in notes if note]


def _note(trouble: str, names: Sequence[str], total: int) -> str:
    """Return a line about some clips; empty if there are none."""
    if not names:
        return ""
    rest = f" and {len(names) - 1} more (`nserbench doctor --deep` names them)"
    more = rest if len(names) > 1 else ""
    return f"{trouble}: {len(names)} of {total} clips, {names[0]}{more}"


def _state(path: Path) -> str:
    """Return the state of a file before it is read; empty if it does not exist."""
    return state_of(_AUDIO, path) if is_file(path) else ""


def _segment(utterance: Utterance) -> str:
    return f"{utterance.start}-{utterance.end}-{utterance.channel}"


def _read(utterance: Utterance) -> _Facts | BadAudio:
    try:
        sound = read_utterance(utterance)
    except BadAudio as error:
        return error  # so that the message names all bad files, not only the first
    return audio_digest(sound.wave), len(sound.wave), *astuple(sound.levels)


def _refuse(problems: Sequence[str]) -> None:
    more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise BadAudio(
        f"{len(problems)} audio file{'s' * (len(problems) > 1)} cannot be used\n  "
        + "\n  ".join(problems[:_SHOWN])
        + more
    )
