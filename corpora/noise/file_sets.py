"""Noises that are many files: every utterance gets a part of one of them."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from nserbench.corpora.audio import SAMPLE_RATE, audio_digest, read_audio
from nserbench.corpora.noise.mixing import (
    NoiseSegment,
    WholeNoise,
    drawn,
    looped,
    places,
    read_noise,
)
from nserbench.errors import BadAudio, BadSpec, CorpusMissing

SUFFIXES = frozenset({".aif", ".aiff", ".flac", ".mp3", ".ogg", ".opus", ".wav"})
"""Endings of the files that are looked for in a folder."""

SOUNDING = 0.1
"""Least share of a part that must sound. Ours: many clips of ESC-50 end in zeros, and
the last milliseconds of a bark would be raised to the power of the whole utterance."""

_ZERO = 2.0**-16  # half a step of 16-bit audio
_MARGIN = 2  # samples at 16 kHz that resampling a part may cost
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSet(WholeNoise):
    """A noise that is a set of files, too large to be held in memory.

    Only the part that an utterance needs is ever read.

    Attributes:
        name: See `Noise`.
        folder: Where the files are.
        files: Paths in ``folder``, with forward slashes, sorted.
        digest: Of the names and sizes of all files.
    """

    name: str
    folder: Path
    files: Sequence[str]
    digest: str
    _keys: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def part(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        """Draw a file, then a place in it; see `Noise.part`.

        Ours, since the paper has no such noise. `drawn` of utterance, noise and seed
        modulo the number of files is the file; with the file's name before the seed
        it gives the place, as in `Recording.offset`. Where less than `SOUNDING` of the
        part sounds, it is the next file's turn.

        Raises:
            BadAudio: if a drawn file cannot be used, or all are silent there.
        """
        first = drawn(utterance_id, self.name, seed) % len(self.files)
        for file in (*self.files[first:], *self.files[:first]):
            number = drawn(utterance_id, self.name, file, seed)
            if (part := self._cut(file, number, samples)) is not None:
                return part
        raise BadAudio(
            f"no file of noise {self.name!r} sounds long enough for {utterance_id}, "
            f"which lasts {samples / SAMPLE_RATE:.3f} s; add files to {self.folder}"
        )

    def key(self, utterance_id: str, samples: int, seed: int) -> str:
        """Give the digest of the part; see `Noise.key`."""
        asked = utterance_id, samples, seed
        if asked not in self._keys:
            self._keys[asked] = audio_digest(self.part(*asked).wave)
        return self._keys[asked]

    def cut(self, number: int) -> Sequence[NoiseSet]:
        """Deal the files out in turn, in the order of their paths; see `Noise.cut`."""
        if number > len(self.files):
            raise BadSpec(
                f"noise {self.name!r} has {len(self.files)} files: too few for "
                f"{number} parts\n  add files to {self.folder}"
            )
        dealt = [self.files[first::number] for first in range(number)]
        return [
            NoiseSet(self.name, self.folder, files, _digest(self.folder, files))
            for files in dealt
        ]

    @property
    def paths(self) -> Sequence[Path]:
        """All its files."""
        return [self.folder / file for file in self.files]

    @property
    def samples(self) -> None:
        """None: each file has a length of its own; see `Noise.samples`."""
        return None

    def _cut(self, file: str, number: int, samples: int) -> NoiseSegment | None:
        """Cut the part out that a number stands for; None if too little sounds."""
        path = self.folder / file
        remedy = f"noise {self.name!r} needs it: replace it, or take it out of the set"
        length = _length(path, remedy)
        offset = number % places(length, samples)
        start, end = 0.0, length / SAMPLE_RATE
        if whole := length < samples:
            _warn_of_loop(self.name, self.folder)
        else:
            start = offset / SAMPLE_RATE
            end = (offset + samples + _MARGIN) / SAMPLE_RATE
        if _share_that_sounds(path, start, end) < SOUNDING:
            return None
        wave = read_audio(path, start, end, remedy=remedy)
        return NoiseSegment(path, offset, looped(wave, offset if whole else 0, samples))


def open_noise(name: str, path: Path) -> WholeNoise:
    """Open a noise: an audio file, a folder of them, or a pattern such as ``*.wav``.

    Args:
        name: What it is called.
        path: Of a folder, all files in it and below are taken. Only the last part of a
            path may be a pattern.

    Raises:
        BadAudio: if the one file cannot be used.
        CorpusMissing: if there is no file.
    """
    folder = path if path.is_dir() else path.parent
    files = audio_files(path)
    if files == [path]:
        return read_noise(name, path)
    if not files:
        raise CorpusMissing(
            f"the noise {name!r} is to be read from {path}, where no audio files are\n"
            f"  looked for: {', '.join(sorted(SUFFIXES))}"
        )
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    return NoiseSet(name, folder, names, _digest(folder, names))


def audio_files(path: Path) -> list[Path]:
    """Find the audio files that a path stands for; see `open_noise`."""
    if path.is_file():
        return [path]
    found = path.rglob("*") if path.is_dir() else path.parent.glob(path.name)
    return [
        file
        for file in found
        if file.suffix.lower() in SUFFIXES
        and not file.name.startswith(".")
        and file.is_file()
    ]


def _digest(folder: Path, names: Sequence[str]) -> str:
    listed = json.dumps([[name, (folder / name).stat().st_size] for name in names])
    return hashlib.blake2b(listed.encode("ascii"), digest_size=16).hexdigest()


def _length(path: Path, remedy: str) -> int:
    """Give the samples at 16 kHz that a file certainly has, from its header."""
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise BadAudio(f"{path} cannot be read ({reason}); {remedy}") from error
    margin = 0 if info.samplerate == SAMPLE_RATE else _MARGIN
    samples: int = info.frames * SAMPLE_RATE // info.samplerate
    return max(1, samples - margin)


def _share_that_sounds(path: Path, start: float, end: float) -> float:
    """Give the share of a file's samples, between two times in s, that are not 0."""
    with soundfile.SoundFile(path) as sound:
        rate = sound.samplerate
        first = round(start * rate)
        sound.seek(first)
        frames = sound.read(round(end * rate) - first, always_2d=True)
    heard = np.abs(frames.mean(axis=1)) > _ZERO
    return float(heard.mean()) if len(heard) else 0.0


@functools.cache  # once for each set, not for each utterance
def _warn_of_loop(name: str, folder: Path) -> None:
    _log.warning(
        "noise %r is looped: some of its files in %s last less than some utterances",
        name,
        folder,
    )
