"""What the header of an audio file says, without decoding its sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import soundfile

from nserbench.corpora.audio import (
    CONTAINERS,
    refuse_cut_off,
    refuse_lost_packets,
)
from nserbench.errors import BadAudio


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """What a file says of its sound.

    Attributes:
        rate: Hz.
        channels: How many.
        seconds: How long it says it is.
    """

    rate: int
    channels: int
    seconds: float


def read_header(path: Path) -> AudioHeader:
    """Read the header of any file that `nserbench.corpora.audio.read_audio` reads.

    It tells of a WAV, AIFF, AVI or MP4 that is cut off. A FLAC, Ogg or Matroska file
    that is cut off shows it only when it is decoded.

    Raises:
        BadAudio: if the file is missing, unreadable or cut off, or holds no sound.
    """
    try:
        path.open("rb").close()  # its errors say more than the libraries'
        if path.suffix.lower() in CONTAINERS:
            found = _of_container(path)
        else:
            found = _of_file(path)
    except (OSError, av.FFmpegError) as error:
        raise BadAudio(f"cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise BadAudio(f"cannot be read ({reason})") from error
    if found.seconds <= 0:
        raise BadAudio("holds no samples")
    return found


def _of_file(path: Path) -> AudioHeader:
    with soundfile.SoundFile(path) as sound:
        refuse_cut_off(sound.extra_info)
        return AudioHeader(
            sound.samplerate, sound.channels, sound.frames / sound.samplerate
        )


def _of_container(path: Path) -> AudioHeader:
    with av.open(path) as container:
        if not container.streams.audio:
            raise BadAudio("has no sound: none of its streams is audio")
        refuse_lost_packets(path, container)
        sound = container.streams.audio[0]
        if sound.duration is not None and sound.time_base is not None:
            seconds = float(sound.duration * sound.time_base)
        else:
            seconds = (container.duration or 0) / av.time_base
        return AudioHeader(sound.codec_context.sample_rate, sound.channels, seconds)
