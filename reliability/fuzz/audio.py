"""Audio files of each format that libsndfile or FFmpeg reads."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from fuzz.target import Files, Target
from nserbench.corpora.audio import read_audio
from nserbench.corpora.audio_headers import read_header

_RATE = 8000
_FORMATS = {
    "wav": [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("WAV", "ULAW")],
    "flac": [("FLAC", "PCM_16"), ("FLAC", "PCM_24")],
    "ogg": [("OGG", "VORBIS"), ("OGG", "OPUS")],
    "mp3": [("MP3", "MPEG_LAYER_III")],
    "w64": [("W64", "PCM_16")],
    "rf64": [("RF64", "PCM_16")],
    "caf": [("CAF", "PCM_16"), ("CAF", "ALAC_16")],
    "aiff": [("AIFF", "PCM_16"), ("AIFF", "FLOAT")],
    "au": [("AU", "PCM_16")],
}
_CHUNKS = (
    *(b"RIFF", b"WAVE", b"fmt ", b"data", b"LIST", b"fact", b"ds64", b"RF64", b"fLaC"),
    *(b"OggS", b"ID3", b"\xff\xfb", b"FORM", b"COMM", b"SSND", b"caff", b"desc"),
    b".snd",
)


def _seeds(ending: str) -> Callable[[], list[Files]]:
    def seeds() -> list[Files]:
        rng = np.random.default_rng(0)
        files: list[Files] = []
        for form, subtype in _FORMATS[ending]:
            for channels in (1, 2):
                wave = 0.1 * rng.standard_normal((400, channels))
                stream = io.BytesIO()
                soundfile.write(stream, wave, _RATE, format=form, subtype=subtype)
                files.append({f"clip.{ending}": stream.getvalue()})
        return files

    return seeds


def _read(folder: Path) -> None:
    (file,) = folder.glob("clip.*")
    read_header(file)
    read_audio(file, 0.01, 0.03)


TARGETS = tuple(
    Target(f"audio, {ending}", _seeds(ending), _read, _CHUNKS) for ending in _FORMATS
)
