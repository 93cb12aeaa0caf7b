"""Look up names as they are typed, and return cards with checked options."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from nserbench.benchmark.plugins.registry import WHERE_FROM, Plugins
from nserbench.benchmark.study.cell import Condition
from nserbench.cards import C, ConfiguredCard, bind
from nserbench.corpora.base import CorpusCard
from nserbench.errors import BadSpec, UnknownName
from nserbench.option_values import MAX_ABS_SNR_DB
from nserbench.paths import exists, user_path
from nserbench.plain_data import number
from nserbench.spec import Spec, parse_specs
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.card_options import JOINT, finetune_head, tuning_options
from nserbench.upstreams.side_by_side import parts_of

_NOISY_VALUE = re.compile(r"(?P<stem>.+?)-(?P<noise>(?P<name>[^-@]+)(@-?[0-9.]+)?)")
"""The value of an option with a noise after it, such as ``list.csv-park@-5``."""


@dataclass(frozen=True, slots=True)
class CorpusAndNoise:
    """A corpus and the noise to add to it.

    Attributes:
        snr: The SNR in dB that was typed after the noise; None if none was.
    """

    corpus: ConfiguredCard[CorpusCard]
    noise: str | None
    snr: float | None = None


def read_names(
    texts: Iterable[str], look_up: Callable[[Spec], ConfiguredCard[C]]
) -> list[ConfiguredCard[C]]:
    """Look up names of one kind, each only once.

    Args:
        look_up: Function that returns the card of a name, such as `Registry.bind`.

    Raises:
        UnknownName: if a name or option is not known.
        BadSpec: if a text cannot be read, or two names differ only in a path.
    """
    cards = [look_up(spec) for text in texts for spec in parse_specs(text)]
    _refuse_equal_labels(cards)
    return list({card.label: card for card in cards}.values())


def read_upstreams(
    texts: Iterable[str], plugins: Plugins, finetune: str | None = None
) -> list[ConfiguredCard[UpstreamCard]]:
    """Look up names of upstreams, and the enhancers, upstreams and heads they name.

    Args:
        finetune: Head to fine-tune them under, unless they name one; None to leave
            them frozen.

    Raises:
        UnknownName: if a name or option is not known.
        BadSpec: if a text cannot be read, two names differ only in a path, an upstream
            reads transcripts from one that does not transcribe, or fine-tuning is set
            for an upstream that cannot be fine-tuned.
    """
    upstreams = read_names(texts, plugins.upstream)
    upstreams = [_finetuned(card, finetune, plugins) for card in upstreams]
    for part in chain.from_iterable(parts_of(card).values() for card in upstreams):
        _refuse_unused_tuning(part)
        if (transcriber := transcriber_of(part)) is not None:
            _refuse_no_transcripts(transcriber, part.label)
    return upstreams


def _finetuned(
    upstream: ConfiguredCard[UpstreamCard], head: str | None, plugins: Plugins
) -> ConfiguredCard[UpstreamCard]:
    """Set the head to fine-tune an upstream under, unless it names one itself.

    Where no head is asked for, only one that is always trained gets one.
    """
    if head is None:
        if not upstream.card.always_trained:
            return upstream
        head = JOINT
    if "finetune" not in upstream.options:
        raise BadSpec(
            f"--finetune: {upstream.label} cannot be fine-tuned\n"
            "  leave --finetune out, or say it of an upstream: wav2vec2:finetune=joint"
        )
    if upstream.options["finetune"] is not None:
        return upstream
    under = finetune_head(head)
    if isinstance(under, Spec):
        return _with(upstream, finetune=plugins.bind("downstream", under))
    return _with(upstream, finetune=under)


def _with(
    upstream: ConfiguredCard[UpstreamCard], **options: object
) -> ConfiguredCard[UpstreamCard]:
    return replace(upstream, options={**upstream.options, **options})


def _refuse_unused_tuning(upstream: ConfiguredCard[UpstreamCard]) -> None:
    """Refuse options of fine-tuning for an upstream that is not fine-tuned."""
    options, card = upstream.options, upstream.card
    if "finetune" not in options or options["finetune"] is not None:
        return
    typed = {
        key: option.shown(options[key])
        for key, option in tuning_options(
            card.learning_rate, card.always_trained
        ).items()
        if options[key] != option.default
    }
    if typed:
        said = ",".join(f"{key}={value}" for key, value in typed.items())
        several = " and ".join(f"{key}=" for key in typed)
        have = "has" if len(typed) == 1 else "have"
        raise BadSpec(
            f"{upstream.label}: {several} {have} no effect without fine-tuning\n"
            f"  to fine-tune: {card.name}:finetune=joint,{said}"
        )


def transcriber_of(
    upstream: ConfiguredCard[UpstreamCard],
) -> ConfiguredCard[UpstreamCard] | None:
    """Return the upstream whose transcripts another reads; None if there is none."""
    transcriber = upstream.options.get("text")
    return transcriber if isinstance(transcriber, ConfiguredCard) else None


def read_transcribers(
    texts: Iterable[str], plugins: Plugins
) -> list[ConfiguredCard[UpstreamCard]]:
    """Look up names of upstreams that transcribe.

    Raises:
        UnknownName: if a name or option is not known.
        BadSpec: if a text cannot be read, or an upstream does not transcribe.
    """
    upstreams = read_upstreams(texts, plugins)
    for upstream in upstreams:
        _refuse_no_transcripts(upstream)
    return upstreams


def _refuse_no_transcripts(
    transcriber: ConfiguredCard[UpstreamCard], reader: str = ""
) -> None:
    if not transcriber.card.can_transcribe(transcriber.options):
        needed = f"\n  {reader} reads transcripts" if reader else ""
        raise BadSpec(
            f"{transcriber.label} writes no transcripts{needed}\n"
            "  an upstream that does: whisper"
        )
    if transcriber.options.get("finetune") is not None:
        raise BadSpec(
            f"{transcriber.label}: a fine-tuned upstream cannot transcribe\n"
            "  leave finetune= out"
        )


def read_corpora(
    texts: Iterable[str], noises: Sequence[str], plugins: Plugins
) -> list[CorpusAndNoise]:
    """Look up corpora, each named alone, as ``CORPUS-NOISE`` or ``CORPUS-NOISE@SNR``.

    Args:
        texts: What was typed; each text has one or more names. The longest corpus name
            that a name starts with is its corpus, and the rest is the noise.
        noises: Noises for every corpus that is named without one, in each text one or
            more, as ``NOISE`` or ``NOISE@SNR``; ``clean`` stands for clean speech.

    Raises:
        UnknownName: if no corpus has such a name, or no such option.
        BadSpec: if a text cannot be read, two names differ only in a path, or an SNR is
            out of range.
    """
    typed = [_condition(name) for text in noises for name in text.split(",")]
    pairs = []
    for spec in chain.from_iterable(map(parse_specs, texts)):
        corpus, noise = _split_name(spec, plugins)
        conditions = typed or [(None, None)]
        if noise is not None:
            conditions = [_condition(noise)]
        pairs += [CorpusAndNoise(corpus, *condition) for condition in conditions]
    _refuse_equal_labels([pair.corpus for pair in pairs])
    return list(
        {(pair.corpus.label, pair.noise, pair.snr): pair for pair in pairs}.values()
    )


def corpus_or_noise(
    spec: Spec, noises: Collection[str], plugins: Plugins
) -> ConfiguredCard[CorpusCard] | str:
    """Look up a corpus, or return the name of a noise; an SNR after it is left out.

    Args:
        noises: Names of all noises.

    Raises:
        UnknownName: if no corpus or noise has such a name, or no such option.
        BadSpec: as `corpus_alone`.
    """
    noise, _ = _condition(spec.name)
    if noise is not None and noise in noises and spec.name not in plugins.corpora:
        return noise
    return corpus_alone(spec, plugins, noises)


def corpus_alone(
    spec: Spec, plugins: Plugins, noises: Collection[str] = ()
) -> ConfiguredCard[CorpusCard]:
    """Look up a corpus where no noise is added.

    Args:
        noises: Noises that can be named in place of a corpus, for the message.

    Raises:
        UnknownName: if no corpus has such a name, or no such option.
        BadSpec: if a noise is named with it, or an option has a wrong value.
    """
    corpus, noise = _split_name(spec, plugins, noises)
    if noise is not None:
        alone = replace(spec, name=corpus.card.name)
        raise BadSpec(f"no noise is added here, so {noise!r} has no use: write {alone}")
    return corpus


def _condition(text: str) -> tuple[str | None, float | None]:
    """Return the noise of ``NOISE`` or ``NOISE@SNR``, and the SNR in dB."""
    text = text.strip()
    noise, at, end = text.rpartition("@")
    if text in ("", "clean"):
        if not text:
            raise BadSpec("a noise is missing: write names with commas between them")
        return None, None
    try:
        snr = number(end) + 0.0  # -0 becomes 0
    except ValueError:
        if at and noise:
            raise BadSpec(
                f"{text!r}: {end!r} is not an SNR in dB: write {noise}@5"
            ) from None
        return text, None
    if not at:
        return text, None
    if noise in ("", "clean"):
        raise BadSpec(f"{text!r} is no condition: write clean, or a noise as park@5")
    if abs(snr) > MAX_ABS_SNR_DB:
        limits = f"{-MAX_ABS_SNR_DB:g} to {MAX_ABS_SNR_DB:g}"
        raise BadSpec(f"{text!r}: an SNR must be from {limits} dB")
    return noise, snr


def corpus_conditions(
    pairs: Iterable[CorpusAndNoise], snrs: Sequence[float]
) -> list[tuple[ConfiguredCard[CorpusCard], Condition]]:
    """Return each corpus with each of its conditions, all different.

    Args:
        snrs: SNRs in dB for the noises that were typed without one.
    """
    found = [
        (pair.corpus, condition)
        for pair in pairs
        for condition in conditions(
            pair.noise, snrs if pair.snr is None else [pair.snr]
        )
    ]
    return list({(card.label, where): (card, where) for card, where in found}.values())


def conditions(noise: str | None, snrs: Sequence[float]) -> list[Condition]:
    """Return a condition for each SNR of a noise, or a single one for clean speech."""
    if noise is None:
        return [Condition()]
    return [Condition(noise, snr) for snr in dict.fromkeys(snrs)]


def _refuse_equal_labels(cards: Sequence[ConfiguredCard[C]]) -> None:
    """Refuse names that differ only in a path: their labels in tables are equal."""
    first: dict[str, ConfiguredCard[C]] = {}
    for card in cards:
        if first.setdefault(card.label, card) != card:
            raise BadSpec(
                f"two of the names that you typed would both be called {card.label}\n"
                "  rename the file or folder of one of them"
            )


def _split_name(
    spec: Spec, plugins: Plugins, noises: Collection[str] = ()
) -> tuple[ConfiguredCard[CorpusCard], str | None]:
    known = plugins.corpora
    matching = [name for name in known.names if f"{spec.name}-".startswith(f"{name}-")]
    if not matching and exists(path := user_path(spec.name)):
        advice = f"a list of recordings is manifest:path={spec.name}"
        if path.is_dir():
            advice = (
                "write a list of the recordings, with the columns path, label and "
                "speaker: manifest:path=LIST.csv"
            )
        raise BadSpec(f"{spec.name!r} is a path, not the name of a corpus\n  {advice}")
    if not matching:
        others = noises or [
            f"{corpus}-{noise}" for corpus in known.names for noise in _common(plugins)
        ]
        raise UnknownName(
            "corpus or noise" if noises else "corpus",
            spec.name,
            [*known.names, *others],
            f"{WHERE_FROM}\n  a list of your own needs a name under [corpora] in the "
            "settings file (--config FILE)",
        )
    name = max(matching, key=len)
    noise = spec.name[len(name) + 1 :] or None
    if noise is None and spec.name != name:
        raise BadSpec(f"a noise is missing after {spec.name!r}: write {name}-park")
    return _bound(known[name], spec, noise, plugins), noise


def _bound(
    card: CorpusCard, spec: Spec, noise: str | None, plugins: Plugins
) -> ConfiguredCard[CorpusCard]:
    """Check the options of a corpus; show the right form if a noise is after them."""
    named = replace(spec, name=card.name)
    form = None if noise else _noise_before_options(named, plugins)
    try:
        bound = bind(card, named)
    except BadSpec as error:
        if form is None:
            raise
        raise BadSpec(f"{error}\n  {form}") from error
    paths = [value for value in bound.options.values() if isinstance(value, Path)]
    if form is not None and (lacking := [one for one in paths if not exists(one)]):
        raise BadSpec(f"there is no file {lacking[0]}\n  {form}")
    return bound


def _noise_before_options(spec: Spec, plugins: Plugins) -> str | None:
    """Return the right form of a name whose last option ends with a noise."""
    key, value = ([("", spec.positional or ""), *spec.options.items()])[-1]
    found = _NOISY_VALUE.fullmatch(value)
    if found is None:
        return None
    stem, noise = found["stem"], found["noise"]
    if found["name"] not in plugins.noises and not exists(user_path(stem)):
        return None
    right = replace(spec, name=f"{spec.name}-{noise}")
    if key:
        right = replace(right, options={**spec.options, key: stem})
    else:
        right = replace(right, positional=stem)
    return f"a noise is written before the options: {right}"


def _common(plugins: Plugins) -> list[str]:
    """Return the noises to suggest: the three of the paper."""
    return [name for name in ("human", "park", "traffic") if name in plugins.noises]
