"""Look up names as they are typed, and return cards with checked options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.study.cell import Condition
from nserbench.cards import C, ConfiguredCard, bind
from nserbench.corpora.base import CorpusCard
from nserbench.errors import BadSpec, UnknownName
from nserbench.spec import Spec, parse_specs
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.card_options import finetune_head
from nserbench.upstreams.side_by_side import parts_of


@dataclass(frozen=True, slots=True)
class CorpusAndNoise:
    """A corpus and the noise to add to it."""

    corpus: ConfiguredCard[CorpusCard]
    noise: str | None


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
    if finetune is not None:
        upstreams = [_finetuned(card, finetune, plugins) for card in upstreams]
    for part in chain.from_iterable(parts_of(card).values() for card in upstreams):
        _refuse_unused_lr(part)
        if (transcriber := transcriber_of(part)) is not None:
            _refuse_no_transcripts(transcriber, part.label)
    return upstreams


def _finetuned(
    upstream: ConfiguredCard[UpstreamCard], head: str, plugins: Plugins
) -> ConfiguredCard[UpstreamCard]:
    """Set the head to fine-tune an upstream under, unless it names one itself."""
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


def _refuse_unused_lr(upstream: ConfiguredCard[UpstreamCard]) -> None:
    options, card = upstream.options, upstream.card
    finetuned = options.get("finetune") is not None
    if not finetuned and options.get("lr", card.learning_rate) != card.learning_rate:
        raise BadSpec(
            f"{upstream.label}: lr= has no effect without fine-tuning\n"
            f"  to fine-tune: {card.name}:finetune=joint,lr={options['lr']:g}"
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
    """Look up corpora, each named alone or as ``CORPUS-NOISE``.

    Args:
        texts: What was typed; each text has one or more names. The longest corpus name
            that a name starts with is its corpus, and the rest is the noise.
        noises: Noises for every corpus that is named without one; ``clean`` stands for
            clean speech.

    Raises:
        UnknownName: if no corpus has such a name, or no such option.
        BadSpec: if a text cannot be read, or two names differ only in a path.
    """
    pairs = []
    for spec in chain.from_iterable(map(parse_specs, texts)):
        corpus, noise = _split_name(spec, plugins)
        names = noises if noise is None and noises else [noise or "clean"]
        pairs += [
            CorpusAndNoise(corpus, None if name == "clean" else name) for name in names
        ]
    _refuse_equal_labels([pair.corpus for pair in pairs])
    return list({(pair.corpus.label, pair.noise): pair for pair in pairs}.values())


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
    spec: Spec, plugins: Plugins
) -> tuple[ConfiguredCard[CorpusCard], str | None]:
    known = plugins.corpora
    matching = [name for name in known.names if f"{spec.name}-".startswith(f"{name}-")]
    if not matching:
        noisy = [
            f"{corpus}-{noise}" for corpus in known.names for noise in _common(plugins)
        ]
        raise UnknownName(
            "corpus",
            spec.name,
            [*known.names, *noisy],
            "`nserbench list` shows the plugin each one comes from",
        )
    name = max(matching, key=len)
    noise = spec.name[len(name) + 1 :] or None
    if noise is None and spec.name != name:
        raise BadSpec(f"a noise is missing after {spec.name!r}: write {name}-park")
    return bind(known[name], replace(spec, name=name)), noise


def _common(plugins: Plugins) -> list[str]:
    """Return the noises to suggest: the three of the paper."""
    return [name for name in ("human", "park", "traffic") if name in plugins.noises]
