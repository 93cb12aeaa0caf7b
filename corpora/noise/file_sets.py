"""Noises that are sets of files: an utterance is mixed with a segment of one file."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nserbench.corpora.audio import (
    SAMPLE_RATE,
    audio_digest,
    named_errors,
    read_sound,
    wanted_blocks,
)
from nserbench.corpora.audio_files import open_audio
from nserbench.corpora.audio_headers import AudioHeader, read_header
from nserbench.corpora.noise.mixing import (
    NoiseSegment,
    WholeNoise,
    count_offsets,
    looped,
    read_noise,
    stable_hash,
    warn_of_levels,
)
from nserbench.errors import BadAudio, BadSpec, CorpusMissing

SUFFIXES = frozenset({".aif", ".aiff", ".flac", ".mp3", ".ogg", ".opus", ".wav"})
"""Endings of the audio files that are read from a folder."""

SOUNDING = 0.1
"""Least share of a segment's samples that must not be zero. Ours: many clips of ESC-50
end in zeros, and the last milliseconds of a bark would be amplified to the SNR."""

_ZERO = 2.0**-16  # half a step of 16-bit audio
_MARGIN = 2  # samples at 16 kHz that may be lost by resampling
_SHOWN = 20  # bad files named in one message
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSet(WholeNoise):
    """A noise that is a set of files, too large for memory.

    Only the segments that utterances need are read.

    Attributes:
        name: See `Noise`.
        files: Paths of the files in ``folder``, with forward slashes, sorted.
        digest: Digest of the names and sizes of all files.
        lengths: Safe lower bound of each file's samples at 16 kHz.
    """

    name: str
    folder: Path
    files: Sequence[str]
    digest: str
    lengths: Mapping[str, int]
    _keys: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def segment_for(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        """Choose a file, then a segment of it; see `Noise.segment_for`.

        Ours, as the paper has no such noise. `stable_hash` of utterance, noise and seed
        modulo the number of files is the index of the file. With the file's name before
        the seed, it gives the offset as in `Recording.offset`. If too few samples of
        the segment are not zero (`SOUNDING`), the next file is taken.

        Raises:
            BadAudio: if a chosen file cannot be used, or has changed since `key` read
                it, or if all segments are silent.
        """
        segment = self._segment(utterance_id, samples, seed)
        digest = self._keys.get((utterance_id, samples, seed))
        if digest is not None and audio_digest(segment.wave) != digest:
            raise BadAudio(
                f"{segment.path}, of noise {self.name!r}, has changed since this "
                "command began\n  run it again"
            )
        return segment

    def _segment(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        first = stable_hash(utterance_id, self.name, seed) % len(self.files)
        for file in (*self.files[first:], *self.files[:first]):
            number = stable_hash(utterance_id, self.name, file, seed)
            if (segment := self._cut(file, number, samples)) is not None:
                return segment
        raise BadAudio(
            f"all files of noise {self.name!r} are too silent for {utterance_id}, "
            f"which lasts {samples / SAMPLE_RATE:.3f} s; add files to {self.folder}"
        )

    def key(self, utterance_id: str, samples: int, seed: int) -> str:
        """Return the digest of the segment; see `Noise.key`."""
        request = utterance_id, samples, seed
        if request not in self._keys:
            self._keys[request] = audio_digest(self._segment(*request).wave)
        return self._keys[request]

    def cut(self, number: int) -> Sequence[NoiseSet]:
        """Assign the files in turn, sorted by path; see `WholeNoise.cut`."""
        if number > len(self.files):
            raise BadSpec(
                f"noise {self.name!r} has {len(self.files)} files: too few for "
                f"{number} parts\n  add files to {self.folder}"
            )
        parts = [self.files[first::number] for first in range(number)]
        return [
            replace(self, files=files, digest=_digest(self.folder, files), _keys={})
            for files in parts
        ]

    @property
    def paths(self) -> Sequence[Path]:
        """Paths of its files."""
        return [self.folder / file for file in self.files]

    @property
    def samples(self) -> None:
        """None, since the lengths of the files differ."""
        return None

    def _cut(self, file: str, number: int, samples: int) -> NoiseSegment | None:
        """Cut a segment out of a file, by a random number; None if too much is zero."""
        path = self.folder / file
        remedy = f"noise {self.name!r} needs it: replace the file, or remove it"
        length = self.lengths[file]
        offset = number % count_offsets(length, samples)
        start, end = 0.0, length / SAMPLE_RATE
        if is_looped := length < samples:
            _warn_of_loop(self.name, self.folder)
        else:
            start = offset / SAMPLE_RATE
            end = (offset + samples + _MARGIN) / SAMPLE_RATE
        if _share_not_zero(path, start, end, remedy) < SOUNDING:
            return None
        sound = read_sound(path, start, end, remedy=remedy)
        warn_of_levels(self, path, sound.levels)
        wave = looped(sound.wave, offset if is_looped else 0, samples)
        return NoiseSegment(path, offset, wave)


def open_noise(name: str, path: Path) -> WholeNoise:
    """Open a noise: an audio file, a folder of them, or a pattern such as ``*.wav``.

    Args:
        path: Path of a file, or of a folder, whose files are read with those of its
            subfolders. Only the last part of the path may be a pattern.

    Raises:
        BadAudio: if a file cannot be used. Of a folder, only the headers are read.
        CorpusMissing: if there is no file.
    """
    folder = path if path.is_dir() else path.parent
    files = audio_files(path)
    if files == [path]:
        return read_noise(name, path)
    if not files:
        raise CorpusMissing(
            f"noise {name!r} is set to {path}, which has no audio files\n"
            f"  audio files end with {', '.join(sorted(SUFFIXES))}"
        )
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    lengths = _lengths(name, folder, names)
    return NoiseSet(name, folder, names, _digest(folder, names), lengths)


def audio_files(path: Path) -> list[Path]:
    """Find the audio files of a file, folder or pattern; see `open_noise`."""
    if path.is_file():
        return [path]
    matches = path.rglob("*") if path.is_dir() else path.parent.glob(path.name)
    return [
        file
        for file in matches
        if file.suffix.lower() in SUFFIXES
        and not file.name.startswith(".")
        and file.is_file()
    ]


def _digest(folder: Path, names: Sequence[str]) -> str:
    listed = json.dumps([[name, (folder / name).stat().st_size] for name in names])
    return hashlib.blake2b(listed.encode("ascii"), digest_size=16).hexdigest()


def _lengths(name: str, folder: Path, files: Sequence[str]) -> dict[str, int]:
    """Return a safe lower bound of each file's samples at 16 kHz, from its header."""
    with ThreadPoolExecutor() as pool:
        headers = list(pool.map(_header, (folder / file for file in files)))
    bad = [
        f"{folder / file} {header}"
        for file, header in zip(files, headers, strict=True)
        if isinstance(header, BadAudio)
    ]
    if bad:
        more = f"\n  and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise BadAudio(
            f"noise {name!r}: {len(bad)} of {len(files)} files cannot be used\n  "
            + "\n  ".join(bad[:_SHOWN])
            + f"{more}\n  replace them, or remove them from the folder"
        )
    return {
        file: _samples(header)
        for file, header in zip(files, headers, strict=True)
        if isinstance(header, AudioHeader)
    }


def _header(path: Path) -> AudioHeader | BadAudio:
    try:
        return read_header(path)
    except BadAudio as error:
        return error  # so that the message names all bad files, not only the first


def _samples(header: AudioHeader) -> int:
    margin = 0 if header.rate == SAMPLE_RATE else _MARGIN
    return max(1, header.frames * SAMPLE_RATE // header.rate - margin)


def _share_not_zero(path: Path, start: float, end: float, remedy: str) -> float:
    """Return the share of samples that are not 0, between two times in seconds."""
    count = not_zero = 0
    with named_errors(path, remedy), open_audio(path) as audio:
        for block in wanted_blocks(audio, start, end):
            mono = block.frames.mean(axis=0, dtype=np.float64)
            not_zero += int(np.count_nonzero(np.abs(mono) > _ZERO))
            count += mono.size
    return not_zero / count


@functools.cache  # once for each set, not for each utterance
def _warn_of_loop(name: str, folder: Path) -> None:
    _log.warning(
        "noise %r is looped: some of its files in %s last less than some utterances",
        name,
        folder,
    )
