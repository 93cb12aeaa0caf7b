"""Whether the licence of a corpus allows to publish predictions for its utterances."""

from __future__ import annotations

from collections.abc import Iterator

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.result import Result
from nserbench.corpora.base import CorpusCard
from nserbench.leaderboard.sharing.manifest import Manifest
from nserbench.spec import letters


def corpus_card(result: Result, plugins: Plugins) -> CorpusCard | None:
    """Return the card of a result's corpus, however its name is written.

    None if no plugin in use offers it.
    """
    name = letters(result.corpus.partition(":")[0])
    cards = (card for card in plugins.corpora if letters(card.name) == name)
    return next(cards, None)


def licence_flaws(
    result: Result, manifest: Manifest, plugins: Plugins
) -> Iterator[str]:
    """Say why the predictions of a result may not be published; counts always may.

    What a card says holds. Of a corpus whose card says nothing, and of one without a
    card, the manifest must name the licence.
    """
    if result.predictions is None:
        return
    card = corpus_card(result, plugins)
    publishable = None if card is None else card.publishable
    if card is not None and publishable is False:
        yield (
            f"the licence of {result.corpus} ({card.licence}) does not allow to "
            "publish ids, speakers and labels: `nserbench submit` writes counts"
        )
    elif publishable is None and not manifest.corpora.get(result.corpus):
        yield (
            f"nothing says that ids and labels of {result.corpus} may be published: "
            "the manifest names no licence"
        )
