"""Benchmark of speech emotion recognition in noise: upstream x head x corpus x noise.

What a user of Python calls, and the names that a plugin needs. None of them imports
torch before it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from nserbench.cards import Option
from nserbench.corpora.base import Corpus, CorpusCard, NoiseCard, Utterance
from nserbench.downstreams.base import DownstreamCard, Recipe
from nserbench.errors import NserbenchError
from nserbench.hook_markers import hookimpl
from nserbench.upstreams.base import (
    Batch,
    Description,
    GroupSpec,
    LayerGroup,
    Recognised,
    Transcriber,
    Upstream,
    UpstreamCard,
)
from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard
from nserbench.upstreams.hidden_states import from_hidden_states

if TYPE_CHECKING:
    from nserbench.api.features import features, get_upstream
    from nserbench.api.running import CellsFailed, run
    from nserbench.api.speech import corpus, mix
    from nserbench.leaderboard import leaderboard
    from nserbench.leaderboard.frames import Leaderboard, Results, load_results

    __version__: str
else:
    _LATER = {
        "CellsFailed": "nserbench.api.running",
        "Leaderboard": "nserbench.leaderboard.frames",
        "Results": "nserbench.leaderboard.frames",
        "corpus": "nserbench.api.speech",
        "features": "nserbench.api.features",
        "get_upstream": "nserbench.api.features",
        "load_results": "nserbench.leaderboard.frames",
        "mix": "nserbench.api.speech",
        "run": "nserbench.api.running",
    }
    """The module of each name that is imported when it is first used."""

    def __getattr__(name):
        """Return a name that takes long to import, or ``__version__``, on first use."""
        if name == "__version__":
            from importlib.metadata import version

            return version(__name__)
        if name == "leaderboard":  # the package, which can be called
            return import_module("nserbench.leaderboard")
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_LATER[name]), name)

    def __dir__():
        """Return all names, so that an editor or a notebook completes them."""
        return sorted({*globals(), *__all__})


__all__ = [
    "Batch",
    "CellsFailed",
    "Corpus",
    "CorpusCard",
    "Description",
    "DownstreamCard",
    "Enhancer",
    "EnhancerCard",
    "GroupSpec",
    "LayerGroup",
    "Leaderboard",
    "NoiseCard",
    "NserbenchError",
    "Option",
    "Recipe",
    "Recognised",
    "Results",
    "Transcriber",
    "Upstream",
    "UpstreamCard",
    "Utterance",
    "__version__",
    "corpus",
    "features",
    "from_hidden_states",
    "get_upstream",
    "hookimpl",
    "leaderboard",
    "load_results",
    "mix",
    "run",
]
