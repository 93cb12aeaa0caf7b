"""Benchmark of speech emotion recognition in noise: upstream x head x corpus x noise.

The names that a plugin needs. None of them imports torch before it is used.
"""

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
    __version__: str
else:

    def __getattr__(name):
        """Return ``__version__``, which takes 20 ms to look up, on first use."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version

        return version(__name__)


__all__ = [
    "Batch",
    "Corpus",
    "CorpusCard",
    "Description",
    "DownstreamCard",
    "Enhancer",
    "EnhancerCard",
    "GroupSpec",
    "LayerGroup",
    "NoiseCard",
    "NserbenchError",
    "Option",
    "Recipe",
    "Recognised",
    "Transcriber",
    "Upstream",
    "UpstreamCard",
    "Utterance",
    "__version__",
    "from_hidden_states",
    "hookimpl",
]
