"""Sizes of the paper's corpora and models, and the operations of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

FRAMES = 50  # a second, of Whisper's encoder and of wav2vec 2.0, HuBERT and WavLM
TOKENS = 15  # of the transcript of a clip
WIDTH = 768
UNITS = 256  # of each direction of a BiGRU


@dataclass(frozen=True)
class CorpusSize:
    """Size of a corpus: clips, their mean length in s, and its folds."""

    clips: int
    seconds: float
    folds: int

    @property
    def trained(self) -> float:
        """Clips that all folds train on together, per epoch."""
        if self.folds == 1:  # a fixed split
            return 0.8 * self.clips
        return self.clips * (self.folds - 1)


SIZES = {
    "iemocap": CorpusSize(5531, 4.5, 5),
    "meld": CorpusSize(11351, 3.1, 1),
    "casia": CorpusSize(1200, 1.9, 4),
}


def transformer(frames: float, layers: int = 12, width: int = WIDTH) -> float:
    """Return the operations of an encoder: 24 d^2 a frame, and attention."""
    return layers * (24 * width**2 * frames + 4 * width * frames**2)


def whisper(seconds: float) -> float:
    """Return the operations of whisper-small: always 30 s, and the transcript."""
    convolutions = 2 * 3 * WIDTH * (80 * 3000 + WIDTH * 1500)
    over_audio = 12 * 4 * WIDTH**2 * 1500  # keys and values of cross-attention
    tokens = TOKENS * (12 * 28 * WIDTH**2 + 2 * 51_865 * WIDTH)
    return convolutions + transformer(1500) + over_audio + tokens


def wav2vec2(seconds: float) -> float:
    """Return the operations of wav2vec 2.0 base, HuBERT base and WavLM base."""
    convolutions = 4.9e9 * seconds  # seven layers of 512 channels from 16 kHz
    return convolutions + transformer(FRAMES * seconds)


def conformer(seconds: float) -> float:
    """Return the operations of the Conformer: 60 % more than a transformer's."""
    return transformer(25 * seconds, 12, 512) * 1.6


def convtasnet(seconds: float) -> float:
    """Return the operations of Conv-TasNet, 4.9 million weights 1000 times a second."""
    return 9.8e9 * seconds


def dccrn(seconds: float) -> float:
    """Return the operations of DCCRN, counted by torch's `FlopCounterMode`."""
    return 16e9 * seconds


def bert(seconds: float) -> float:
    """Return the operations of BERT base: the tokens of the transcript."""
    return transformer(TOKENS)


def mlkd(seconds: float) -> float:
    """Return a third of a training step of MLKD: a third of its teacher's pass."""
    student = 4.9e9 * seconds + transformer(FRAMES * seconds, layers=2)
    return student + wav2vec2(seconds) / 3


def trnet(seconds: float) -> float:
    """Return a third of a training step of TRNet, always 5 s, and of its teacher.

    The teacher is trained once for the four conditions. Conv-TasNet is not trained.
    """
    layers = ((3, 64), (64, 128), (128, 256), (256, 512))
    pixels = (498 * 80, 249 * 40, 124 * 20, 62 * 10)
    backbone = sum(2 * 25 * a * b * n for (a, b), n in zip(layers, pixels, strict=True))
    return backbone * (1 + 1 / 3 + 1 / 4) + convtasnet(seconds) / 3


@dataclass(frozen=True)
class Group:
    """A group of layers: their number, width, and frames a second or a clip."""

    layers: int
    width: int = WIDTH
    rate: float = 0.0
    tokens: int = 0

    def frames(self, seconds: float) -> float:
        """Return the frames of a clip."""
        return self.rate * seconds + self.tokens


@dataclass(frozen=True)
class Model:
    """A model: its groups, and its operations for a clip of some seconds."""

    groups: Mapping[str, Group]
    work: Callable[[float], float] = lambda seconds: 0.0


MEL = {"mel": Group(1, 80, 100)}
SSL = {"hidden": Group(13, rate=FRAMES)}
SETS = {"is09": 384, "is10": 1582, "is11": 4368, "is12": 6125, "is13": 6373}
WHISPER = Model(
    {"encoder": Group(13, rate=FRAMES), "decoder": Group(13, tokens=TOKENS)}, whisper
)
CONFORMER = {"encoder": Group(13, 512, 25), "decoder": Group(7, 512, tokens=TOKENS)}
SPEECHLM = {"speech": Group(7, rate=FRAMES), "unit": Group(7, rate=FRAMES)}
MODELS: Mapping[str, Model] = {
    "mel": Model(MEL),
    "convtasnet-mel": Model(MEL, convtasnet),
    "dccrn-mel": Model(MEL, dccrn),
    "egemaps": Model({"functionals": Group(1, 88)}),
    **{name: Model({"functionals": Group(1, dim)}) for name, dim in SETS.items()},
    "whisper": WHISPER,
    "whisper-en": WHISPER,
    "whisper-cn": WHISPER,
    "conformer": Model(CONFORMER, conformer),
    "speechlm": Model(SPEECHLM, wav2vec2),
    "wav2vec2": Model(SSL, wav2vec2),
    "hubert": Model(SSL, wav2vec2),
    "wavlm": Model(SSL, wav2vec2),
    "bert": Model({"text": Group(13, tokens=TOKENS)}, bert),
    "mlkd": Model({"embedding": Group(1)}, mlkd),
    "trnet": Model({"embedding": Group(1, 256)}, trnet),
    "mv-bissm": Model({"embedding": Group(1, 128)}),
}
"""Models without operations are mel, openSMILE and MV-BiSSM, which are left out."""

ALIASES = {"whisper-enc": "whisper", "whisper-dec": "whisper"}
GROUPS = {"whisper-enc": "encoder", "whisper-dec": "decoder"}
"""Names of upstreams that are one group of another's pass."""


def bigru(width: int) -> float:
    """Return the operations to train a BiGRU for a frame: forward and two gradients.

    There is no gradient of the features.
    """
    return 2 * 2 * 3 * UNITS * (2 * width + 3 * UNITS)
