"""Reading all audio of a corpus once before anything slow starts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from nserbench.benchmark.store.file_facts import FileFact, FileFacts
from nserbench.corpora.audio import audio_digest, read_audio
from nserbench.corpora.base import Utterance
from nserbench.errors import BadAudio
from nserbench.progress import Progress

_SHOWN = 20  # bad files named in one message


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance whose audio has been read and found good.

    Attributes:
        utterance: The utterance.
        digest: Of the decoded audio, mono at 16 kHz.
        samples: Its length at 16 kHz.
    """

    utterance: Utterance
    digest: str
    samples: int


def read_clips(
    utterances: Sequence[Utterance], file_facts: FileFacts, progress: Progress
) -> list[Clip]:
    """Read, check and digest the audio of every utterance, in the order given.

    Files that have not changed since an earlier survey are not read again.

    Raises:
        BadAudio: if any file cannot be used; the message names them all.
    """
    there = {one.path for one in utterances if one.path.is_file()}
    known = {
        path: json.loads(fact)
        for path, fact in file_facts.known("audio", there).items()
    }
    new = [one for one in utterances if _part(one) not in known.get(one.path, {})]
    problems, changed = [], set()
    for one, found in zip(new, _read_all(new, progress), strict=True):
        if isinstance(found, BadAudio):
            problems.append(str(found))
        else:
            known.setdefault(one.path, {})[_part(one)] = found
            changed.add(one.path)
    file_facts.note(
        FileFact("audio", path, json.dumps(known[path])) for path in changed
    )
    if problems:
        _refuse(list(dict.fromkeys(problems)))
    return [Clip(one, *known[one.path][_part(one)]) for one in utterances]


def _part(one: Utterance) -> str:
    return f"{one.start}-{one.end}-{one.channel}"


def _read_all(
    utterances: Sequence[Utterance], progress: Progress
) -> list[tuple[str, int] | BadAudio]:
    """Give digest and samples of each, or what is wrong with it."""
    if not utterances:
        return []
    progress.stage("reading audio", len(utterances), "clips")
    found = []
    with ThreadPoolExecutor() as pool:
        for one in pool.map(_read, utterances):
            found.append(one)
            progress.advance()
    return found


def _read(one: Utterance) -> tuple[str, int] | BadAudio:
    try:
        wave = read_audio(one.path, one.start, one.end, one.channel)
    except BadAudio as error:
        return error  # so that all of them are named, not the first alone
    return audio_digest(wave), len(wave)


def _refuse(problems: Sequence[str]) -> None:
    more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise BadAudio(
        f"{len(problems)} audio file{'s' * (len(problems) > 1)} cannot be used\n  "
        + "\n  ".join(problems[:_SHOWN])
        + more
    )
