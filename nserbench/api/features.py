"""Upstreams from Python: load one, and run it on a clip."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from nserbench.api.session import AnyPath, open_session
from nserbench.api.speech import Wave, read_wave
from nserbench.corpora.base import Utterance
from nserbench.errors import BadSpec
from nserbench.languages import language_code

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nserbench.benchmark.extraction.one_clip import ClipInMemory
    from nserbench.benchmark.plugins.registry import Plugin
    from nserbench.cards import ConfiguredCard
    from nserbench.upstreams.base import Upstream, UpstreamCard


def get_upstream(
    name: str,
    *,
    device: str = "auto",
    plugins: Plugin | Sequence[Plugin] = (),
    config: AnyPath | None = None,
) -> Upstream:
    """Load an upstream with its weights.

    Args:
        name: Such as ``"whisper:checkpoint=openai/whisper-tiny"``.
        device: Device such as ``"cuda:0"``; ``"auto"`` uses a GPU if there is one.
        plugins: Plugins that are not installed; see `run`.
        config: Settings file; see `run`.

    Returns:
        The upstream, in evaluation mode on the device.

    Raises:
        NserbenchError: if the name, an option or the weights are not there.
    """
    from nserbench.benchmark.extraction.one_clip import open_upstream
    from nserbench.benchmark.plugins.own_state import as_at_start
    from nserbench.benchmark.results.environment import choose_device

    bound = _bound(name, plugins, config)
    with as_at_start():
        return open_upstream(bound, choose_device(device))


def features(
    wave: Wave | Utterance | None,
    upstream: str | Upstream,
    *,
    rate: int | None = None,
    text: str | None = None,
    language: str | None = None,
    device: str = "auto",
    plugins: Plugin | Sequence[Plugin] = (),
    config: AnyPath | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Return the layered features of a clip by group, ``(layers, frames, dim)``.

    They are those of a run, to the bit, before they are stored: the store keeps the
    means over frames in float32, and frames in float16.

    Args:
        wave: An utterance of a corpus, with its text and language; an audio file, which
            is read as in a run; or mono samples ``(samples,)`` of floats with full
            scale at 1.0. None for an upstream that reads texts alone.
        upstream: Name of an upstream with its options; or what `get_upstream` returns,
            so that weights are loaded only once.
        rate: Sampling rate of an array in Hz.
        text: The words of a clip, for an upstream that reads texts.
        language: ISO 639-1, such as ``"de"``, for an upstream that takes one.
        device: Device for an upstream that is given by name.
        plugins: Plugins that are not installed; see `run`.
        config: Settings file; see `run`.

    Raises:
        BadAudio: if the audio cannot be used.
        NserbenchError: if the upstream cannot be loaded or is to be fine-tuned, or the
            clip lacks what it reads.
    """
    from nserbench.benchmark.extraction.one_clip import clip_features, open_upstream
    from nserbench.benchmark.plugins.own_state import as_at_start
    from nserbench.benchmark.results.environment import choose_device
    from nserbench.upstreams.base import Upstream
    from nserbench.upstreams.side_by_side import parts_of

    if isinstance(upstream, Upstream):
        opened, bound = upstream, _bound_of(upstream)
    else:
        opened, bound = None, _bound(upstream, plugins, config)
    if bound.card.always_trained:
        raise BadSpec(
            f"{bound.card.name} has no features before it is trained: `nserbench run` "
            "trains it"
        )
    if bound.options.get("finetune") is not None:
        raise BadSpec(f"{bound.label} is to be fine-tuned: leave finetune= out")
    clip = _clip(_utterance(wave, text, language), wave, rate, bound)
    found: dict[str, NDArray[np.float32]] = {}
    with as_at_start():
        for prefix, part in parts_of(bound).items():
            model = opened or open_upstream(part, choose_device(device))
            of_part = clip_features(part, model, clip)
            found |= {
                f"{prefix}.{group}" if prefix else group: states
                for group, states in of_part.items()
            }
    return found


def _bound(
    name: str, plugins: Plugin | Sequence[Plugin], config: AnyPath | None
) -> ConfiguredCard[UpstreamCard]:
    from nserbench.benchmark.study.name_lookup import read_upstreams

    found = read_upstreams([name], open_session(plugins, config).plugins)
    if len(found) != 1:
        raise BadSpec(f"{name!r} has {len(found)} upstreams: name one at a time")
    return found[0]


def _bound_of(upstream: Upstream) -> ConfiguredCard[UpstreamCard]:
    from nserbench.cards import ConfiguredCard

    if upstream.card is None:
        raise BadSpec(
            f"no card opened this {type(upstream).__name__}: give the name of the "
            "upstream, or what nserbench.get_upstream returns"
        )
    return ConfiguredCard(upstream.card, upstream.options)


def _utterance(
    wave: Wave | Utterance | None, text: str | None, language: str | None
) -> Utterance:
    """Return the utterance itself, or one of the text and language given."""
    if isinstance(wave, Utterance):
        if text is not None or language is not None:
            raise BadSpec(f"{wave.id} has its own text and language: leave them out")
        return wave
    try:
        spoken = None if language is None else language_code(language)
    except ValueError as error:
        raise BadSpec(f"nserbench.features: language: {error}") from error
    name = Path(wave).name if isinstance(wave, str | PathLike) else "the array"
    return Utterance(
        id=name,
        path=Path(name),
        label="",
        speaker="",
        fold="",
        text=text,
        language=spoken,
    )


def _clip(
    utterance: Utterance,
    wave: Wave | Utterance | None,
    rate: int | None,
    bound: ConfiguredCard[UpstreamCard],
) -> ClipInMemory:
    import numpy as np

    from nserbench.benchmark.extraction.one_clip import ClipInMemory
    from nserbench.benchmark.study.name_lookup import transcriber_of
    from nserbench.corpora.levels import Levels
    from nserbench.upstreams.side_by_side import parts_of

    if wave is None:
        parts = parts_of(bound).values()
        if any(part.card.reads_audio or transcriber_of(part) for part in parts):
            raise BadSpec(f"{bound.label} reads audio: give a file or an array")
        samples, levels = np.zeros(1, np.float32), Levels(0.0, 0.0, 1.0)
    else:
        sound = read_wave(wave, rate, "the array")
        samples, levels = sound.wave, sound.levels
    return ClipInMemory(utterance, "", len(samples), levels, samples)
