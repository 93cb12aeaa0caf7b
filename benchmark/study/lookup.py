"""From names as they are typed to cards with checked options."""

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
from nserbench.upstreams.base import UpstreamCard, finetune_head
from nserbench.upstreams.side_by_side import parts_of


@dataclass(frozen=True, slots=True)
class CorpusAndNoise:
    """A corpus and the noise laid under it.

    Attributes:
        corpus: The corpus with its options.
        noise: The noise's name; None for clean speech.
    """

    corpus: ConfiguredCard[CorpusCard]
    noise: str | None


def read_names(
    texts: Iterable[str], look_up: Callable[[Spec], ConfiguredCard[C]]
) -> list[ConfiguredCard[C]]:
    """Read names of one kind, each text holding one or more, leaving out repeats.

    Args:
        texts: What was typed.
        look_up: Gives the card of a name, such as `Registry.bind`.

    Raises:
        UnknownName: if a name or option is not known.
        BadSpec: if a text cannot be read, or two names differ in a path only.
    """
    found = [look_up(spec) for text in texts for spec in parse_specs(text)]
    _refuse_namesakes(found)
    return list({bound.label: bound for bound in found}.values())


def read_upstreams(
    texts: Iterable[str], plugins: Plugins, finetune: str | None = None
) -> list[ConfiguredCard[UpstreamCard]]:
    """Read names of upstreams, with the enhancers, upstreams and heads that they name.

    Args:
        texts: What was typed, each text holding one or more.
        plugins: Where the names are.
        finetune: The head to tune them under where they do not say; None for none.

    Raises:
        UnknownName: if a name or option is not known.
        BadSpec: if a text cannot be read, two names differ in a path only, one is to
            read the transcripts of an upstream that writes none, or one that has no
            weights is to be tuned.
    """
    found = read_names(texts, plugins.upstream)
    if finetune is not None:
        found = [_tuned(one, finetune, plugins) for one in found]
    for upstream in chain.from_iterable(parts_of(one).values() for one in found):
        _refuse_idle_rate(upstream)
        if (writer := written_by(upstream)) is not None:
            _refuse_mute(writer, upstream.label)
    return found


def _tuned(
    upstream: ConfiguredCard[UpstreamCard], head: str, plugins: Plugins
) -> ConfiguredCard[UpstreamCard]:
    """Let an upstream be tuned under a head, unless it names another itself."""
    if "finetune" not in upstream.options:
        raise BadSpec(
            f"--finetune: {upstream.label} cannot be tuned\n"
            "  leave it out, or name those to tune: wav2vec2:finetune=joint"
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


def _refuse_idle_rate(upstream: ConfiguredCard[UpstreamCard]) -> None:
    options, card = upstream.options, upstream.card
    tuned = options.get("finetune") is not None
    if not tuned and options.get("lr", card.learning_rate) != card.learning_rate:
        raise BadSpec(
            f"{upstream.label}: lr= is of tuning, which is not asked for\n"
            f"  say so: {card.name}:finetune=joint,lr={options['lr']:g}"
        )


def written_by(
    upstream: ConfiguredCard[UpstreamCard],
) -> ConfiguredCard[UpstreamCard] | None:
    """Give the upstream whose transcripts another reads; None if there is none."""
    writer = upstream.options.get("text")
    return writer if isinstance(writer, ConfiguredCard) else None


def read_transcribers(
    texts: Iterable[str], plugins: Plugins
) -> list[ConfiguredCard[UpstreamCard]]:
    """Read names of upstreams that transcribe.

    Raises:
        UnknownName: if a name or option is not known.
        BadSpec: if a text cannot be read, or one of them writes no transcripts.
    """
    found = read_upstreams(texts, plugins)
    for upstream in found:
        _refuse_mute(upstream)
    return found


def _refuse_mute(writer: ConfiguredCard[UpstreamCard], reader: str = "") -> None:
    if not writer.card.can_transcribe(writer.options):
        needed = f"\n  {reader} needs an upstream that does" if reader else ""
        raise BadSpec(
            f"{writer.label} writes no transcripts{needed}\n  one that does: whisper"
        )
    if writer.options.get("finetune") is not None:
        raise BadSpec(
            f"{writer.label}: transcripts are written by an upstream as it came\n"
            "  leave finetune= out"
        )


def read_places(
    texts: Iterable[str], noises: Sequence[str], plugins: Plugins
) -> list[CorpusAndNoise]:
    """Read corpus names, alone or as ``CORPUS-NOISE``.

    Args:
        texts: Each one or more names. The longest registered corpus name that one
            starts with is its corpus; the rest is the noise.
        noises: More noises for every corpus that is named without one. ``clean``
            keeps the clean speech beside them.
        plugins: Where the corpora are.

    Raises:
        UnknownName: if no corpus has such a name, or no option.
        BadSpec: if a text cannot be read, or two names differ in a path only.
    """
    places = []
    for text in texts:
        for spec in parse_specs(text):
            corpus, noise = _split_name(spec, plugins)
            wanted = noises if noise is None and noises else [noise or "clean"]
            places += [
                CorpusAndNoise(corpus, None if each == "clean" else each)
                for each in wanted
            ]
    _refuse_namesakes([each.corpus for each in places])
    return list({(each.corpus.label, each.noise): each for each in places}.values())


def conditions(noise: str | None, snrs: Sequence[float]) -> list[Condition]:
    """Give the conditions of a noise: one, whatever the levels, for clean speech."""
    if noise is None:
        return [Condition()]
    return [Condition(noise, snr) for snr in dict.fromkeys(snrs)]


def _refuse_namesakes(found: Sequence[ConfiguredCard[C]]) -> None:
    """Refuse two that differ in a path only, since no table could tell them apart."""
    first: dict[str, ConfiguredCard[C]] = {}
    for bound in found:
        if first.setdefault(bound.label, bound) != bound:
            raise BadSpec(
                f"two of those asked for would both be called {bound.label}\n"
                "  rename the file or folder that one of them is read from"
            )


def _split_name(
    spec: Spec, plugins: Plugins
) -> tuple[ConfiguredCard[CorpusCard], str | None]:
    known = plugins.corpora
    fitting = [name for name in known.names if f"{spec.name}-".startswith(f"{name}-")]
    if not fitting:
        noisy = [
            f"{corpus}-{noise}" for corpus in known.names for noise in _common(plugins)
        ]
        raise UnknownName(
            "corpus",
            spec.name,
            [*known.names, *noisy],
            "`nserbench list` shows the plugin each one comes from",
        )
    name = max(fitting, key=len)
    noise = spec.name[len(name) + 1 :] or None
    if noise is None and spec.name != name:
        raise BadSpec(f"a noise is missing after {spec.name!r}: write {name}-park")
    return bind(known[name], replace(spec, name=name)), noise


def _common(plugins: Plugins) -> list[str]:
    """Give the noises worth suggesting: the paper's three."""
    return [name for name in ("human", "park", "traffic") if name in plugins.noises]
