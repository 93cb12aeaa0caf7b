"""Read, check and digest all audio of a corpus before the slow work starts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.store.file_facts import FileFact, FileFacts, state_of
from nserbench.corpora.audio import audio_digest, read_utterance
from nserbench.corpora.base import Utterance
from nserbench.corpora.threads import map_in_threads
from nserbench.errors import BadAudio
from nserbench.paths import is_file
from nserbench.plain_data import parse_json
from nserbench.progress import Progress

_AUDIO = "audio"
_SHOWN = 20  # bad files named in one message


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance whose audio has been read and can be used.

    Attributes:
        digest: Digest of the decoded audio, mono at 16 kHz.
        samples: Number of samples at 16 kHz.
    """

    utterance: Utterance
    digest: str
    samples: int

    def read(self) -> NDArray[np.float32]:
        """Read the audio again, ``(samples,)``.

        Raises:
            BadAudio: if it cannot be read, or is not what was digested.
        """
        wave = read_utterance(self.utterance)
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
    problems, changed = [], set()
    read = map_in_threads(_read, new, progress, stage="reading audio", unit="clips")
    for utterance, audio in zip(new, read, strict=True):
        if isinstance(audio, BadAudio):
            problems.append(str(audio))
        else:
            known.setdefault(utterance.path, {})[_segment(utterance)] = audio
            changed.add(utterance.path)
    file_facts.save(
        FileFact(_AUDIO, path, states[path], json.dumps(known[path]))
        for path in changed
    )
    if problems:
        _refuse(list(dict.fromkeys(problems)))
    return [Clip(u, *known[u.path][_segment(u)]) for u in utterances]


def _state(path: Path) -> str:
    """Return the state of a file before it is read; empty if it does not exist."""
    return state_of(_AUDIO, path) if is_file(path) else ""


def _segment(utterance: Utterance) -> str:
    return f"{utterance.start}-{utterance.end}-{utterance.channel}"


def _read(utterance: Utterance) -> tuple[str, int] | BadAudio:
    try:
        wave = read_utterance(utterance)
    except BadAudio as error:
        return error  # so that the message names all bad files, not only the first
    return audio_digest(wave), len(wave)


def _refuse(problems: Sequence[str]) -> None:
    more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise BadAudio(
        f"{len(problems)} audio file{'s' * (len(problems) > 1)} cannot be used\n  "
        + "\n  ".join(problems[:_SHOWN])
        + more
    )
