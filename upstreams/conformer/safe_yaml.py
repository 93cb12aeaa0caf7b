"""Safe loading of ``hyperparams.yaml``: names outside a short list are refused.

speechbrain's checkpoints name in HyperPyYAML the Python objects to create, so such a
file can run any code. Names are looked up attribute by attribute, so a prefix is no
limit: ``speechbrain.utils.superpowers.subprocess.Popen`` would work. Full names are
therefore compared with those that ASR checkpoints need.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.loader import Loader

from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.conformer.bounded_yaml import (
    MOST_CHARACTERS,
    read_bounded,
)

_SCORERS = "speechbrain.decoders.scorer."
_TRANSFORMERS = "speechbrain.lobes.models.transformer."

OBJECTS = frozenset(
    {
        "sentencepiece.SentencePieceProcessor",
        "speechbrain.dataio.preprocess.AudioNormalizer",
        "speechbrain.decoders.S2STransformerBeamSearcher",
        "speechbrain.decoders.S2STransformerGreedySearcher",
        "speechbrain.decoders.seq2seq.S2STransformerBeamSearcher",
        "speechbrain.decoders.seq2seq.S2STransformerGreedySearcher",
        "speechbrain.lobes.features.Fbank",
        "speechbrain.lobes.models.convolution.ConvolutionFrontEnd",
        "speechbrain.nnet.CNN.Conv1d",
        "speechbrain.nnet.CNN.Conv2d",
        "speechbrain.nnet.activations.Swish",
        "speechbrain.nnet.containers.LengthsCapableSequential",
        "speechbrain.nnet.containers.ModuleList",
        "speechbrain.nnet.linear.Linear",
        "speechbrain.nnet.normalization.BatchNorm1d",
        "speechbrain.nnet.normalization.BatchNorm2d",
        "speechbrain.nnet.normalization.LayerNorm",
        "speechbrain.processing.features.InputNormalization",
        "speechbrain.utils.parameter_transfer.Pretrainer",
        "torch.nn.GELU",
        "torch.nn.Identity",
        "torch.nn.LeakyReLU",
        "torch.nn.LogSoftmax",
        "torch.nn.ModuleList",
        "torch.nn.ReLU",
        "torch.nn.SiLU",
        "torch.nn.Softmax",
        _SCORERS + "CTCScorer",
        _SCORERS + "CoverageScorer",
        _SCORERS + "LengthScorer",
        _SCORERS + "ScorerBuilder",
        _SCORERS + "TransformerLMScorer",
        _TRANSFORMERS + "TransformerASR.EncoderWrapper",
        _TRANSFORMERS + "TransformerASR.TransformerASR",
        _TRANSFORMERS + "TransformerLM.TransformerLM",
    }
)
"""The classes that a file may name. None of them downloads, writes or runs code."""

_SECONDS = 60
_SHOWN = 300  # characters of an error in a message
_RESOLVE = f"""
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2 ** 30, 2 ** 30))
except (ImportError, ValueError, OSError):
    pass  # only the time is bounded there
from hyperpyyaml import resolve_references
text, values = json.load(sys.stdin)
resolved = resolve_references(text, values).getvalue()
sys.stdout.reconfigure(encoding="utf-8")
sys.stdout.write(resolved[:{MOST_CHARACTERS + 1}])
"""

_PLAIN = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("bool", "float", "int", "map", "merge", "null", "seq", "str")
)
_RESOLVED = _PLAIN | {"!tuple"}
_RESOLVED |= {f"!{verb}:{name}" for verb in ("new", "name") for name in OBJECTS}
_RAW = _RESOLVED | {"!ref", "!copy"}


def safe_hyperparams(file: Path, values: Mapping[str, Any]) -> str:
    """Return a file's text with references resolved and values inserted.

    References can be built from pieces and can reach attributes, so resolved names are
    checked as well. Nothing that the file names is imported.

    Args:
        file: A ``hyperparams.yaml``.
        values: Values that replace or extend those of the file, by key.

    Returns:
        YAML without references; all of its names are in `OBJECTS`.

    Raises:
        BadSpec: if it names any other object.
        CheckpointMissing: if it cannot be read, or a reference has no target.
    """
    text = read_bounded(file)
    try:
        _refuse(text, _RAW, file)
        resolved = _resolved(text, values)
        _refuse(resolved, _RESOLVED, file)
    except BadSpec:
        raise
    except (ValueError, YAMLError) as error:
        raise CheckpointMissing(f"{file} cannot be read: {error}") from error
    return resolved


def _resolved(text: str, values: Mapping[str, Any]) -> str:
    """Resolve references in a process of its own, with bounds on time and memory.

    HyperPyYAML computes: ``!ref 9 ** 9 ** 9`` would not end, and each of twenty lines
    may double the text of the one before.

    Raises:
        ValueError: if it cannot be resolved within the bounds.
    """
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _RESOLVE],
            input=json.dumps([text, values]),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"its references take more than {_SECONDS} s") from error
    if ended.returncode or len(ended.stdout) > MOST_CHARACTERS:
        lines = ended.stderr.strip().splitlines() or ["its references grow too large"]
        raise ValueError(lines[-1][:_SHOWN])
    return ended.stdout


def _refuse(text: str, known: frozenset[str], file: Path) -> None:
    # The loader that later creates the objects, so that both see the same tags.
    for node in _nodes(Loader(text).get_single_node()):
        if node.tag not in known:
            raise _refusal(file, node.tag)
        # HyperPyYAML parses the text in (...) as YAML, with its tags.
        if isinstance(node.value, str) and "(" in node.value and "!" in node.value:
            raise _refusal(file, node.value)


def _nodes(root: Any) -> Iterator[Any]:
    """Yield each node below ``root`` once, keys included."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        if isinstance(node, tuple):
            waiting += node
            continue
        seen.add(id(node))
        yield node
        if isinstance(node.value, list):
            waiting += node.value


def _refusal(file: Path, name: str) -> BadSpec:
    return BadSpec(
        f"{file} names {name}, but nserbench runs no code of a checkpoint\n"
        "  it only creates what speechbrain's own ASR checkpoints name: see "
        "nserbench.upstreams.conformer.safe_yaml.OBJECTS"
    )
