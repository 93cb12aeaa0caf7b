"""Speech and noise from Python: read a corpus, read audio, add noise to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nserbench.api.session import AnyPath, Session, open_session, path_of
from nserbench.corpora.base import Utterance
from nserbench.errors import BadSpec
from nserbench.option_values import MAX_ABS_SNR_DB

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nserbench.benchmark.plugins.registry import Plugin
    from nserbench.corpora.audio import Sound
    from nserbench.corpora.base import Corpus
    from nserbench.corpora.noise.mixing import Noise

Wave: TypeAlias = "AnyPath | NDArray[Any]"
"""An audio file, or mono samples ``(samples,)`` of floats with full scale at 1.0."""


def corpus(
    name: str,
    *,
    limit: int | None = None,
    plugins: Plugin | Sequence[Plugin] = (),
    config: AnyPath | None = None,
) -> Corpus:
    """Return a corpus with its utterances; no audio is read.

    Args:
        name: Such as ``"emodb"``, with its options.
        limit: Most utterances, spread over folds and classes; None for all.
        plugins: Plugins that are not installed; see `run`.
        config: Settings file; see `run`.

    Raises:
        CorpusMissing: if it is not on this machine.
        NserbenchError: if the name or an option is not known, or its files contradict
            each other.
    """
    from nserbench.benchmark.plugins.own_state import own_state
    from nserbench.benchmark.study.name_lookup import read_corpora
    from nserbench.benchmark.study.study import read_corpus

    session = open_session(plugins, config)
    (one, *more) = read_corpora([name], [], session.plugins)
    if more:
        raise BadSpec(f"{name!r} has {1 + len(more)} corpora: name one at a time")
    if one.noise is not None:
        raise BadSpec(
            f"{name!r} is {one.corpus.label!r} with the noise {one.noise!r}: leave the "
            "noise out, and add it to a clip with nserbench.mix"
        )
    with own_state():
        return read_corpus(one.corpus, limit, session.settings)


def mix(
    speech: Wave | Utterance,
    noise: Wave,
    snr: float,
    *,
    rate: int | None = None,
    id: str | None = None,
    seed: int = 0,
    corpus: Corpus | None = None,
    plugins: Plugin | Sequence[Plugin] = (),
    config: AnyPath | None = None,
) -> NDArray[np.float32]:
    """Return speech with added noise, ``(samples,)`` at 16 kHz, as in a run.

    Which segment of the noise is added depends on the id, the name of the noise and
    the seed alone, so it is the same at every SNR; see `Recording.offset`. The sum is
    neither clipped nor scaled, and may exceed 1.0.

    Args:
        speech: An utterance of a corpus, an audio file, or mono samples.
        noise: Name of a noise such as ``"park"``; or an audio file, or a folder of
            them, whose name is then that of the file or folder without its ending; or
            mono samples, whose name is ``noise``.
        snr: SNR in dB.
        rate: Sampling rate of arrays in Hz.
        id: Id of the utterance; default: that of the utterance, the name of the file
            without its ending, or ``speech`` for an array.
        seed: The protocol's ``mix_seed``.
        corpus: Corpus of the speech; its own noises come before others of their names.
        plugins: Plugins that are not installed; see `run`.
        config: Settings file; see `run`.

    Raises:
        BadAudio: if speech or noise cannot be used, or the segment is silent.
        NserbenchError: if there is no such noise, or the SNR is out of bounds.
    """
    from nserbench.benchmark.study.toml_checks import snr_list
    from nserbench.corpora.noise.mixing import add_noise

    try:
        (ratio,) = snr_list([snr])
    except ValueError as error:
        raise BadSpec(
            f"nserbench.mix: snr is {snr!r}, and must be one number of dB from "
            f"{-MAX_ABS_SNR_DB:g} to {MAX_ABS_SNR_DB:g}"
        ) from error
    if isinstance(corpus, str):
        raise BadSpec(
            f"nserbench.mix: corpus is the text {corpus!r}, and must be a corpus\n"
            f"  pass corpus=nserbench.corpus({corpus!r})"
        )
    in_files = [_has_own_rate(one) for one in (speech, noise)]
    if rate is not None and all(in_files):
        raise BadSpec("nserbench.mix: rate= is for arrays; files have their own")
    wave = read_wave(speech, None if in_files[0] else rate, "speech").wave
    own = {} if corpus is None else corpus.noises
    added = _noise(noise, rate, own, open_session(plugins, config))
    return add_noise(wave, added, id or _id(speech), ratio, seed).wave


def read_wave(wave: Wave | Utterance, rate: int | None, name: str) -> Sound:
    """Return audio as a run reads it: mono at 16 kHz.

    Args:
        wave: An utterance, a file, or mono samples ``(samples,)`` of floats with full
            scale at 1.0.
        rate: Sampling rate of samples in Hz; None for what is in a file.
        name: What messages call the samples.

    Raises:
        BadAudio: if it cannot be used.
        BadSpec: if the samples are not mono floats, or their rate is missing or given
            for a file.
    """
    import numpy as np

    from nserbench.corpora.audio import read_sound, read_utterance, sound_of
    from nserbench.plain_data import is_whole

    if rate is not None and _has_own_rate(wave):
        raise BadSpec(f"{wave} is in a file, which has its own rate: leave rate= out")
    if isinstance(wave, Utterance):
        return read_utterance(wave)
    if isinstance(wave, str | PathLike):
        return read_sound(path_of(wave), remedy="replace the file")
    samples = np.asarray(wave)
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise BadSpec(
            f"{name} must be (samples,), mono floats with full scale at 1.0, and not "
            f"{samples.dtype} of the shape {samples.shape}\n"
            "  samples of 16-bit integers: divide by 32768"
        )
    if not is_whole(rate, 1):
        raise BadSpec(f"{name} needs its sampling rate in Hz, such as rate=16000")
    return sound_of(samples.astype(np.float32), int(rate or 0), name=name)


def _has_own_rate(wave: Wave | Utterance) -> bool:
    return isinstance(wave, str | PathLike | Utterance)


def _id(speech: Wave | Utterance) -> str:
    if isinstance(speech, Utterance):
        return speech.id
    return Path(speech).stem if isinstance(speech, str | PathLike) else "speech"


def _noise(
    noise: Wave, rate: int | None, own: Mapping[str, Path], session: Session
) -> Noise:
    """Return a noise by its name or path, or of samples."""
    from nserbench.benchmark.study.study import noise_file
    from nserbench.corpora.audio import audio_digest
    from nserbench.corpora.noise.file_sets import SUFFIXES, open_noise
    from nserbench.corpora.noise.mixing import Recording

    if not isinstance(noise, str | PathLike):
        wave = read_wave(noise, rate, "noise").wave
        return Recording("noise", Path("noise"), wave, audio_digest(wave))
    settings, plugins = session.settings, session.plugins
    path, name = path_of(noise), str(noise)
    in_file = path.suffix.lower() in SUFFIXES or path.exists()
    if name in {*own, *settings.noises, *plugins.noises.names} or not in_file:
        return open_noise(name, noise_file(name, own, plugins, settings))
    return open_noise(path.stem, path)
