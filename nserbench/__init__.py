"""Benchmark of speech emotion recognition in noise: upstream x head x corpus x noise.

What a user of Python calls, and the names that a plugin needs. Each is imported when it
is first used.
"""

import nserbench.upstreams  # noqa: F401 - repairs torchaudio for all who import it

TYPE_CHECKING = False

if TYPE_CHECKING:
    from nserbench import errors
    from nserbench.api.features import features, get_upstream
    from nserbench.api.running import CellsFailed, run
    from nserbench.api.speech import corpus, mix
    from nserbench.cards import Option
    from nserbench.corpora.base import Corpus, CorpusCard, NoiseCard, Utterance
    from nserbench.downstreams.base import DownstreamCard, Recipe
    from nserbench.errors import NserbenchError
    from nserbench.hook_markers import hookimpl
    from nserbench.leaderboard import leaderboard
    from nserbench.leaderboard.frames import Leaderboard, Results, load_results
    from nserbench.upstreams.base import (
        Batch,
        LayerGroup,
        Recognised,
        Transcriber,
        Upstream,
        UpstreamCard,
    )
    from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard
    from nserbench.upstreams.groups import Description, GroupSpec
    from nserbench.upstreams.hidden_states import from_hidden_states
    from nserbench.upstreams.pair_upstream import FeaturesAndLosses, PairUpstream
    from nserbench.upstreams.training_data import TrainingData

    __version__: str
else:
    _NAMES = {
        "api.features": ("features", "get_upstream"),
        "api.running": ("CellsFailed", "run"),
        "api.speech": ("corpus", "mix"),
        "cards": ("Option",),
        "corpora.base": ("Corpus", "CorpusCard", "NoiseCard", "Utterance"),
        "downstreams.base": ("DownstreamCard", "Recipe"),
        "errors": ("NserbenchError",),
        "hook_markers": ("hookimpl",),
        "leaderboard.frames": ("Leaderboard", "Results", "load_results"),
        "upstreams.base": (
            *("Batch", "LayerGroup", "Recognised", "Transcriber", "Upstream"),
            "UpstreamCard",
        ),
        "upstreams.groups": ("Description", "GroupSpec"),
        "upstreams.enhancement.base": ("Enhancer", "EnhancerCard"),
        "upstreams.hidden_states": ("from_hidden_states",),
        "upstreams.pair_upstream": ("FeaturesAndLosses", "PairUpstream"),
        "upstreams.training_data": ("TrainingData",),
    }
    """The names of each module. Almost nothing is imported here, so that the program
    can say first how it takes an interrupt; see `__main__`."""
    _MODULES = ("errors", "leaderboard")  # the latter can be called

    def __getattr__(name):
        """Return a name of another module, or ``__version__``, on first use."""
        from importlib import import_module
        from importlib.metadata import version

        if name == "__version__":
            return version(__name__)
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        for module, names in _NAMES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

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
    "FeaturesAndLosses",
    "GroupSpec",
    "LayerGroup",
    "Leaderboard",
    "NoiseCard",
    "NserbenchError",
    "Option",
    "PairUpstream",
    "Recipe",
    "Recognised",
    "Results",
    "TrainingData",
    "Transcriber",
    "Upstream",
    "UpstreamCard",
    "Utterance",
    "__version__",
    "corpus",
    "errors",
    "features",
    "from_hidden_states",
    "get_upstream",
    "hookimpl",
    "leaderboard",
    "load_results",
    "mix",
    "run",
]
