"""Benchmark speech emotion recognition in noise: upstream x head x corpus x noise.

What a plugin needs is here; nothing of it imports torch.
"""

from nserbench.cards import Option
from nserbench.corpora.base import Corpus, CorpusCard, NoiseCard, Utterance
from nserbench.downstreams.base import DownstreamCard, Recipe
from nserbench.errors import NserbenchError
from nserbench.markers import hookimpl
from nserbench.upstreams.base import (
    Batch,
    GroupSpec,
    LayerGroup,
    Recognised,
    Transcriber,
    Upstream,
    UpstreamCard,
)
from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard

__all__ = [
    "Batch",
    "Corpus",
    "CorpusCard",
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
    "hookimpl",
]
