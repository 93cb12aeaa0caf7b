"""Open containers such as MP4 by FFmpeg, and decode their first audio stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av

from nserbench.corpora.sound_files import Block
from nserbench.errors import BadAudio

SUFFIXES = frozenset({".avi", ".m4a", ".mkv", ".mp4", ".webm"})
"""Endings of the files that are read by FFmpeg, as are those that begin like them."""

_CUT_SLACK = 0.1  # seconds; the length of the longest packets


@dataclass(frozen=True, slots=True)
class Container:
    """An open container.

    Attributes:
        rate: Sample rate in Hz of its first audio stream.
        frames: Number of frames by its header, which may be off by a packet; None if
            it does not say it.
    """

    container: av.container.InputContainer
    rate: int
    channels: int
    frames: int | None

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[Block]:
        """Decode all frames, whatever the wanted ones, since few containers can seek.

        Raises:
            BadAudio: if a Matroska file ends before its header says.
        """
        stream = self.container.streams.audio[0]
        floats = av.AudioResampler(format="fltp")
        reached, at = 0.0, 0
        for packet in self.container.demux():
            if packet.pts is not None:
                end = packet.pts + (packet.duration or 0)
                reached = max(reached, float(end * packet.time_base))
            if packet.stream is not stream:
                continue
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):  # always; for the type checker
                    for block in _blocks(floats.resample(frame), at):
                        yield block
                        at += block.frames.shape[1]
        self._refuse_short(reached)

    def _refuse_short(self, reached: float) -> None:
        container = self.container
        if "matroska" not in container.format.name or container.duration is None:
            return
        claimed = container.duration / av.time_base
        if reached < claimed - _CUT_SLACK:
            raise BadAudio(f"is cut off: {reached:.3f} of {claimed:.3f} s are there")


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open a file that FFmpeg reads.

    Raises:
        BadAudio: if it has no audio, or lost its end.
        av.FFmpegError: if FFmpeg cannot read it.
    """
    with av.open(path) as container:
        if not container.streams.audio:
            raise BadAudio("has no sound: none of its streams is audio")
        _refuse_lost_packets(path, container)
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        seconds = _seconds(container, stream)
        frames = None if seconds is None else round(seconds * rate)
        yield Container(container, rate, stream.channels, frames)


def _blocks(frames: list[av.AudioFrame], at: int) -> Iterator[Block]:
    for frame in frames:
        names = [layout_channel.name for layout_channel in frame.layout.channels]
        centre = names.index("FC") if "FC" in names else 0
        yield Block(at, frame.to_ndarray(), centre)
        at += frame.samples


def _seconds(
    container: av.container.InputContainer, stream: av.AudioStream
) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _refuse_lost_packets(path: Path, container: av.container.InputContainer) -> None:
    """Refuse a container that lost its end; FFmpeg reads it without an error."""
    if container.format.name == "avi":
        with path.open("rb") as file:
            claimed = 8 + int.from_bytes(file.read(8)[4:], "little")
    else:
        index = container.streams.audio[0].index_entries
        claimed = max((entry.pos + entry.size for entry in index), default=0)
    if claimed > container.size:
        raise BadAudio(f"is cut off: {container.size} of {claimed} bytes are there")
