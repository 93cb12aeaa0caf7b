"""Read the header of an audio file, without decoding the audio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import soundfile

from nserbench.corpora.audio import (
    CONTAINERS,
    library_errors,
    refuse_cut_off,
    refuse_lost_packets,
)
from nserbench.errors import BadAudio


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """The header of an audio file.

    Attributes:
        rate: Sample rate in Hz.
        seconds: Length in seconds.
    """

    rate: int
    channels: int
    seconds: float


def read_header(path: Path) -> AudioHeader:
    """Read the header of any file that `nserbench.corpora.audio.read_audio` reads.

    It shows whether a WAV, AIFF, AVI or MP4 file is cut off. A FLAC, Ogg or Matroska
    file has to be decoded for that.

    Raises:
        BadAudio: if the file is missing, unreadable or cut off, or has no audio.
    """
    read = _of_container if path.suffix.lower() in CONTAINERS else _of_file
    with library_errors(path):
        header = read(path)
    if header.seconds <= 0:
        raise BadAudio("holds no samples")
    return header


def _of_file(path: Path) -> AudioHeader:
    with soundfile.SoundFile(path) as audio:
        refuse_cut_off(audio.extra_info)
        return AudioHeader(
            audio.samplerate, audio.channels, audio.frames / audio.samplerate
        )


def _of_container(path: Path) -> AudioHeader:
    with av.open(path) as container:
        if not container.streams.audio:
            raise BadAudio("has no sound: none of its streams is audio")
        refuse_lost_packets(path, container)
        stream = container.streams.audio[0]
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        else:
            seconds = (container.duration or 0) / av.time_base
        return AudioHeader(stream.codec_context.sample_rate, stream.channels, seconds)
