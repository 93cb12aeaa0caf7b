"""Read the header of an audio file, without decoding the audio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nserbench.corpora.audio_files import AudioFile, open_audio
from nserbench.errors import BadAudio


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """The header of an audio file.

    Attributes:
        rate: Sample rate in Hz.
        frames: Length in frames, at least one.
    """

    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate


def read_header(path: Path) -> AudioHeader:
    """Read the header of any file that `nserbench.corpora.audio.read_audio` reads.

    It shows whether a WAV, AIFF, AVI or MP4 file is cut off. A FLAC, MP3 or Matroska
    file has to be decoded for that; one whose header lacks its length is decoded here.

    Raises:
        BadAudio: if the file is missing, unreadable or cut off, or has no audio. The
            message does not name the file.
    """
    with open_audio(path) as audio:
        frames = _count(audio) if audio.frames is None else audio.frames
        if frames <= 0:
            raise BadAudio("holds no samples")
        return AudioHeader(audio.rate, audio.channels, frames)


def _count(audio: AudioFile) -> int:
    return sum(block.frames.shape[1] for block in audio.blocks())
