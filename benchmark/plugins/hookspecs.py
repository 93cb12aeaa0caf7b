"""The hooks by which a plugin adds upstreams, enhancers, heads, corpora and trackers.

A plugin is a module with one or more of these functions, each marked with
``@nserbench.hookimpl``. It is found through the ``nserbench`` entry point group of its
distribution, or named with ``--plugin``. Built-in plugins use the same hooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nserbench.hook_markers import hookspec

if TYPE_CHECKING:
    from nserbench.benchmark.results.result import Result
    from nserbench.corpora.base import CorpusCard, NoiseCard
    from nserbench.downstreams.base import DownstreamCard
    from nserbench.upstreams.base import UpstreamCard
    from nserbench.upstreams.enhancement.base import EnhancerCard


@hookspec
def nserbench_upstreams() -> Iterable[UpstreamCard]:
    """Offer upstreams: models that turn audio into layered features.

    Called once, before any model is loaded. A card names its loader by a string, so
    this function and its module need no torch, and ``nserbench list`` stays fast.

    Returns:
        One card for each upstream. Its name is what ``--upstream`` takes.
    """
    raise NotImplementedError


@hookspec
def nserbench_downstreams() -> Iterable[DownstreamCard]:
    """Offer heads: modules that turn layered features into class logits.

    Returns:
        One card for each head. Its name is what ``--downstream`` takes.
    """
    raise NotImplementedError


@hookspec
def nserbench_corpora() -> Iterable[CorpusCard]:
    """Offer corpora: labelled utterances and their folds.

    Returns:
        One card for each corpus. Its name is what ``--corpus`` takes, alone or
        followed by a noise, as in ``iemocap-park``.
    """
    raise NotImplementedError


@hookspec
def nserbench_noises() -> Iterable[NoiseCard]:
    """Offer noises that can be added to the speech of any corpus.

    Returns:
        One card for each noise. Its name is the part after the corpus's in
        ``iemocap-park``.
    """
    raise NotImplementedError


@hookspec
def nserbench_enhancers() -> Iterable[EnhancerCard]:
    """Offer enhancers: models that remove noise from the audio of an upstream.

    Returns:
        One card for each enhancer. Its name is what the option ``enhance`` of every
        upstream that reads audio takes, as in ``whisper:enhance=dccrn``.
    """
    raise NotImplementedError


@hookspec
def nserbench_cell_finished(result: Result) -> None:
    """Act on the result of a cell that has just been written, such as log it.

    Args:
        result: The content of ``result.json`` and ``predictions.csv``.
    """
    raise NotImplementedError
