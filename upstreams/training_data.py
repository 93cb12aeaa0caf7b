"""The corpora that models were trained on, as far as it is public."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from nserbench.cards import NOT_STATED, Options

UNKNOWN = "unknown"
"""In place of the name of a corpus: some of the data are not public."""
NOT_SAID = "not said"
"""In place of the names of corpora: nothing is said of one of several models."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The corpora that a model, or several models together, were trained on.

    Attributes:
        corpora: Their names; those that nserbench can read have its name for them.
        complete: Whether all that is said is public. False if some of the data are not
            public.
        source: Where this is said.
        said: Whether something is said of every model. False if nothing is said of one
            of several.
    """

    corpora: tuple[str, ...] = ()
    complete: bool = True
    source: str = NOT_STATED
    said: bool = True

    @classmethod
    def read(cls, names: Iterable[str], source: str) -> TrainingData:
        """Return what a list of names says, which may have the word `UNKNOWN`."""
        known = tuple(name for name in names if name != UNKNOWN)
        return cls(known, complete=UNKNOWN not in names, source=source)

    def __str__(self) -> str:
        """Return the names joined by +, such as ``iemocap+unknown``."""
        names = [*self.corpora, *([] if self.complete else [UNKNOWN])]
        return "+".join([*names, *([] if self.said else [NOT_SAID])])


NO_WEIGHTS = TrainingData(source="it has no weights")


def joint(parts: Iterable[TrainingData | None]) -> TrainingData | None:
    """Return the training data of several models together.

    Args:
        parts: The data of each; None for a model of which nothing is said.

    Returns:
        All corpora; complete if those of each model are of which something is said;
        said if something is said of each. None if nothing is said of any model.
    """
    every = list(parts)
    said = [part for part in every if part is not None]
    if not said:
        return None
    return TrainingData(
        tuple(dict.fromkeys(name for part in said for name in part.corpora)),
        complete=all(part.complete for part in said),
        source="; ".join(dict.fromkeys(part.source for part in said)),
        said=len(said) == len(every) and all(part.said for part in said),
    )


_LIBRISPEECH = ("librispeech",)
_EMOTION2VEC = ("iemocap", "meld", "mead", "cmu-mosei", "msp-podcast")
_EMOBOX = (
    *("aesdd", "ased", "asvp-esd", "cafe", "casia", "crema-d", "emns", "emodb"),
    *("emov-db", "emovo", "emozionalmente", "enterface", "esd", "iemocap"),
    *("jl-corpus", "m3ed", "mead", "meld", "mer2023", "mesd", "msp-podcast", "oreau"),
    *("pavoque", "polish", "ravdess", "resd", "savee", "shemo", "subesco", "tess"),
    *("turev-db", "urdu"),
)
_WAVLM = ("libri-light", "gigaspeech", "voxpopuli")
_ROBUST = ("libri-light", "common-voice", "switchboard", "fisher")
_XLSR = ("mls", "common-voice", "babel")
_WAV2VEC2 = "Baevski et al., arXiv:2006.11477"
_HUBERT = "Hsu et al., arXiv:2106.07447"
_OF_WAVLM = "Chen et al., arXiv:2110.13900; torchaudio's documentation"
_OF_XLSR = "Conneau et al., arXiv:2006.13979; torchaudio's documentation"
_OF_XLS_R = "Babu et al., arXiv:2111.09296; torchaudio's documentation"
_OF_ROBUST = "Hsu et al., arXiv:2104.01027; pages of fine-tuned checkpoints"
_OF_MSP_DIM = "Wagner et al., arXiv:2203.07378; the checkpoint's page"
_SUPERB = "the checkpoint's page; Yang et al., arXiv:2105.01051"
_ASTEROID = "the checkpoint's page: Libri1Mix is LibriSpeech and noise of WHAM!"
_PAGE = "the checkpoint's page"
_OF_EMOTION2VEC = "Ma et al., arXiv:2312.15185"
_PLUS = TrainingData(
    tuple(dict.fromkeys((*_EMOTION2VEC, *_EMOBOX))),
    complete=False,
    source=f"{_OF_EMOTION2VEC}; {_PAGE}: fine-tuned on data of EmoBox, whose corpora "
    "are listed here; which parts of them is not said",
)
_WHISPER = TrainingData(
    complete=False,
    source="Radford et al., arXiv:2212.04356: 680,000 hours of the web, not listed",
)
_PSEUDO = replace(_PLUS, source=f"{_PLUS.source}; then on speech that is not listed")
_WHISPERS = "tiny", "base", "small", "medium", "large"
_CONFORMER = "speechbrain/asr-conformer{}-transformerlm-librispeech"
_DENOISER = "JorisCos/{}_Libri1Mix_enhsingle_16k"

CHECKPOINTS: Mapping[str, TrainingData] = MappingProxyType(
    {
        **{f"openai/whisper-{size}": _WHISPER for size in _WHISPERS},
        "Jingmiao/whisper-small-chinese_base": replace(
            _WHISPER, corpora=("fleurs",), source=f"{_PAGE}; {_WHISPER.source}"
        ),
        **{f"openai/whisper-{size}.en": _WHISPER for size in _WHISPERS[:-1]},
        "emotion2vec/emotion2vec_plus_seed": _PLUS,
        "emotion2vec/emotion2vec_plus_base": _PSEUDO,
        "emotion2vec/emotion2vec_plus_large": _PSEUDO,
        **{
            name: TrainingData(corpora, source=source)
            for name, corpora, source in (
                ("facebook/wav2vec2-base", _LIBRISPEECH, _WAV2VEC2),
                ("facebook/wav2vec2-base-960h", _LIBRISPEECH, _WAV2VEC2),
                ("facebook/wav2vec2-large", _LIBRISPEECH, _WAV2VEC2),
                ("facebook/wav2vec2-large-960h", _LIBRISPEECH, _WAV2VEC2),
                ("facebook/wav2vec2-large-lv60", ("libri-light",), _WAV2VEC2),
                ("facebook/wav2vec2-large-robust", _ROBUST, _OF_ROBUST),
                ("facebook/wav2vec2-large-xlsr-53", _XLSR, _OF_XLSR),
                (
                    "facebook/wav2vec2-xls-r-300m",
                    (*_XLSR, "voxpopuli", "voxlingua107"),
                    _OF_XLS_R,
                ),
                ("facebook/hubert-base-ls960", _LIBRISPEECH, _HUBERT),
                ("facebook/hubert-large-ll60k", ("libri-light",), _HUBERT),
                ("facebook/hubert-xlarge-ll60k", ("libri-light",), _HUBERT),
                ("microsoft/wavlm-base", _LIBRISPEECH, _OF_WAVLM),
                ("microsoft/wavlm-base-plus", _WAVLM, _OF_WAVLM),
                ("microsoft/wavlm-large", _WAVLM, _OF_WAVLM),
                (_CONFORMER.format(""), _LIBRISPEECH, _PAGE),
                (_CONFORMER.format("small"), _LIBRISPEECH, _PAGE),
                (
                    "google-bert/bert-base-uncased",
                    ("bookcorpus", "wikipedia"),
                    "Devlin et al., arXiv:1810.04805",
                ),
                (_DENOISER.format("ConvTasNet"), ("librispeech", "wham"), _ASTEROID),
                (_DENOISER.format("DCCRNet"), ("librispeech", "wham"), _ASTEROID),
                (
                    "superb/wav2vec2-base-superb-er",
                    ("librispeech", "iemocap"),
                    _SUPERB,
                ),
                ("superb/hubert-base-superb-er", ("librispeech", "iemocap"), _SUPERB),
                (
                    "superb/hubert-large-superb-er",
                    ("libri-light", "iemocap"),
                    _SUPERB,
                ),
                (
                    "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim",
                    (*_ROBUST, "msp-podcast"),
                    _OF_MSP_DIM,
                ),
                (
                    "emotion2vec/emotion2vec_base",
                    _EMOTION2VEC,
                    _OF_EMOTION2VEC,
                ),
            )
        },
    }
)
"""The training data of checkpoints, by hub id."""


def of_checkpoint(options: Options) -> TrainingData | None:
    """Return what is known of the checkpoint in ``checkpoint=`` or ``id=``.

    None for a local folder, and for a hub id that is not in `CHECKPOINTS`.
    """
    return CHECKPOINTS.get(options.get("checkpoint") or options.get("id") or "")
