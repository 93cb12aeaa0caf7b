"""How many frames of an encoder belong to a clip, from its number of samples alone.

Each function takes the configuration of the encoder, as ``config.json`` has it, and the
samples of a clip at 16 kHz. It returns the frames that are not padding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from nserbench.plain_data import is_whole, shortened

Config: TypeAlias = Mapping[str, Any]
"""The configuration of an encoder, as ``config.json`` has it."""

HOP = 160
"""Samples from one frame of a spectrogram to the next."""

WINDOW = 400
"""Samples of the window of a spectrogram, 25 ms."""

_MOST_SIZES, _LARGEST = 100, 1000


def sizes(config: Config, key: str) -> list[int]:
    """Return the sizes of some convolutions.

    Raises:
        ValueError: if they are no list of sizes.
    """
    values = config[key]
    if not isinstance(values, list | tuple) or len(values) > _MOST_SIZES:
        raise ValueError(f"{key} is no list of sizes")
    if not all(is_whole(value, 1, _LARGEST) for value in values):
        raise ValueError(f"{key} is {shortened(str(values))}, which are no sizes")
    return list(values)


def convolved(config: Config, samples: int) -> int:
    """Return the frames of wav2vec 2.0 and its kin: convolutions without padding."""
    kernels, strides = sizes(config, "conv_kernel"), sizes(config, "conv_stride")
    for kernel, stride in zip(kernels, strides, strict=True):
        samples = (samples - kernel) // stride + 1
    return samples


def squeezed(config: Config, samples: int) -> int:
    """Return the frames of SEW, which averages a few frames before its first block."""
    return convolved(config, samples) // int(config["squeeze_factor"])


def moonshine(config: Config, samples: int) -> int:
    """Return the frames of Moonshine, whose three convolutions are the same in all."""
    sizes = {"conv_kernel": (127, 7, 3), "conv_stride": (64, 3, 2)}
    return convolved(sizes, samples)


def whole_windows(config: Config, samples: int) -> int:
    """Return the frames of a spectrogram that has only windows inside the clip."""
    return (samples - WINDOW) // HOP + 1


def paired(config: Config, samples: int) -> int:
    """Return the frames of models that join two frames of a spectrogram into one.

    An odd last frame is dropped.
    """
    return whole_windows(config, samples) // 2


def halved(config: Config, samples: int) -> int:
    """Return the frames of models like Whisper: every 20 ms that has begun."""
    return math.ceil(samples / (2 * HOP))


def granite(config: Config, samples: int) -> int:
    """Return the frames of Granite Speech: pairs of centred frames."""
    return (samples // HOP + 1) // 2


def speech_to_text(config: Config, samples: int) -> int:
    """Return the frames of Speech2Text: its convolutions keep every second frame."""
    factor: int = 1 << int(config["num_conv_layers"])
    return math.ceil(whole_windows(config, samples) / factor)


def parakeet(config: Config, samples: int) -> int:
    """Return the frames of Parakeet: convolutions keep one of eight, rounded up."""
    return math.ceil(samples // HOP / int(config["subsampling_factor"]))


def phi4(config: Config, samples: int) -> int:
    """Return the frames of Phi-4: convolutions keep one of eight, rounded up."""
    return math.ceil(whole_windows(config, samples) / int(config["time_reduction"]))


def gemma3n(config: Config, samples: int) -> int:
    """Return the frames of Gemma 3n: convolutions keep one of four, rounded up.

    Its extractor pads clips to a multiple of 128 samples and has windows of 513.
    """
    padded = math.ceil(samples / 128) * 128
    spectrum = min(math.ceil(samples / HOP), (padded - 513) // HOP + 1)
    return math.ceil(spectrum / gemma3n_factor(config))


def gemma3n_factor(config: Config) -> int:
    """Return how many frames of a spectrogram Gemma 3n makes one of."""
    return math.prod(stride for stride, _ in config["sscp_conv_stride_size"])


def patches(config: Config, samples: int) -> int:
    """Return the patches of AST that are wholly inside the clip, at least one."""
    spectrum = whole_windows(config, samples)
    inside = spectrum - int(config["patch_size"])
    return max(1, inside // int(config["time_stride"]) + 1)


def patch_columns(config: Config) -> int:
    """Return the patches of AST in time, those of padding included."""
    beyond = int(config["max_length"]) - int(config["patch_size"])
    return beyond // int(config["time_stride"]) + 1


class Pieces(NamedTuple):
    """How a clip is cut that is longer than an encoder reads at once.

    Attributes:
        window: Samples that it reads at once.
        step: Samples from the start of a piece to that of the next.
        least: Samples of the shortest piece; a rest that is shorter has no frame.
    """

    window: int
    step: int
    least: int


def patches_pieces(config: Config) -> Pieces:
    """Return the pieces for AST: frames go on evenly from each to the next."""
    return Pieces(
        window=WINDOW + (int(config["max_length"]) - 1) * HOP,
        step=patch_columns(config) * int(config["time_stride"]) * HOP,
        least=WINDOW + (int(config["patch_size"]) - 1) * HOP,
    )


def thirty_seconds(config: Config) -> Pieces:
    """Return the pieces for models like Whisper, which read 30 s."""
    window = 2 * HOP * int(config["max_source_positions"])
    return Pieces(window, window, WINDOW)
