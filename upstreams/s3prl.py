"""S3PRL's upstreams, each by its own name."""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import os
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import torch
from torch import Tensor, nn
from transformers.utils.logging import disable_progress_bar

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing, NserbenchError, UnknownName
from nserbench.paths import is_file, user_path
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    LayeredFeatures,
    LayerGroup,
    Upstream,
)
from nserbench.upstreams.groups import Description, GroupSpec
from nserbench.upstreams.hidden_states import stacked
from nserbench.upstreams.loading.hub import (
    PATIENCE,
    checkpoint_files,
    checkpoint_folder,
)


@contextlib.contextmanager
def _no_deprecation_warnings() -> Iterator[None]:
    """Suppress warnings about deprecated parts of torch that S3PRL uses."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
        yield


# On import it always warns that ESPnet is not installed.
logging.getLogger("s3prl.upstream.espnet_hubert.expert").setLevel(logging.ERROR)
with _no_deprecation_warnings():
    from s3prl import hub
    from s3prl.nn import S3PRLUpstream
    from s3prl.util import download

_FROM_FILE = ("_local", "_custom")
_FROM_ADDRESS = ("_url", "_gdriveid")
_FRONT = "feature_extractor"
_LIST = "https://s3prl.github.io/s3prl/tutorial/upstream_collection.html"


class S3prl(Upstream):
    """The hidden states of an S3PRL upstream, numbered as in S3PRL, from 0.

    An upstream with a single state has it as layer 1. S3PRL cuts frames or repeats the
    last one, so that there are ``ceil(samples / stride)``; they are used unchanged.
    Utterances run one by one, since padding may change features in S3PRL.

    For the ``hf_`` names, whose states are those of transformers, the last state is
    replaced by the normalised one, as in all our upstreams. The other families do so
    themselves.

    Args:
        options: ``name``, and ``checkpoint`` for the names that end in ``_local`` or
            ``_custom``.

    Raises:
        UnknownName: if S3PRL has no upstream of this name.
        BadSpec: if the name needs a checkpoint or takes none, or if the states differ
            in width or frame rate.
        CheckpointMissing: if the weights are not found, or are not
            those of such an upstream.
        NserbenchError: if the upstream needs a missing package, or cannot be loaded.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        model, _ = _load(options["name"], options["checkpoint"])
        self.model: nn.Module = model.to(device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``hidden``."""
        with _no_deprecation_warnings():
            states = [self._states(wave) for wave in batch.tensors(self.device)]
        return {"hidden": LayerGroup.pad(states)}

    def _states(self, wave: Tensor) -> Tensor:
        """Return the states of one wave, ``(layers, frames, dim)``."""
        try:
            states, lengths = self.model(wave[None], torch.tensor([len(wave)]))
        except AssertionError as error:  # S3PRL's check of the number of frames
            raise ValueError(
                f"s3prl:{self.options['name']} cannot read {len(wave)} samples: "
                f"{error} frames"
            ) from error
        counts = {state.shape[1] for state in states} | {
            int(length) for length in lengths
        }
        if len(counts) != 1:
            raise ValueError(
                f"s3prl:{self.options['name']} returns states of "
                f"{sorted(counts)} frames"
            )
        return stacked(states)


def describe(options: Options) -> Description:
    """Return what is known about an upstream by loading it, once in a process.

    S3PRL does not state the number and width of the states without loading.

    Raises:
        NserbenchError: as `S3prl`.
    """
    return _described(options["name"], options["checkpoint"])[0]


def files(options: Options) -> tuple[Path, ...]:
    """Return the files of the weights by loading the upstream, once in a process.

    Returns:
        The files of ``checkpoint``, else those that S3PRL downloaded, or none.

    Raises:
        NserbenchError: as `S3prl`.
    """
    return _described(options["name"], options["checkpoint"])[1]


def known_names() -> list[str]:
    """Return the names that the option ``name`` takes, sorted.

    Names that need a URL are not among them: ``checkpoint`` is a file.
    """
    return sorted(
        name
        for name in S3PRLUpstream.available_names()
        if _family(name).endswith(".hubconf") and not name.endswith(_FROM_ADDRESS)
    )


@functools.cache
def _described(
    name: str, checkpoint: str | None
) -> tuple[Description, tuple[Path, ...]]:
    """Return what is known after an upstream is loaded once, and its files."""
    model, files = _load(name, checkpoint)
    many = model.num_layers > 1
    layers = range(model.num_layers) if many else range(1, 2)
    rate = SAMPLE_RATE / model.downsample_rates[0]
    groups = {"hidden": GroupSpec(layers, model.hidden_sizes[0], rate)}
    names = [parameter for parameter, _ in model.named_parameters()]
    convolved = any(f".{_FRONT}." in parameter for parameter in names)
    frozen = (_FRONT,) if convolved else ()
    return Description(groups, False, bool(names), frozen), tuple(files)


def _load(name: str, checkpoint: str | None) -> tuple[Any, list[Path]]:
    """Return an S3PRLUpstream and the files of its weights."""
    _check(name, checkpoint)
    source, files = _source(name, checkpoint)
    with _downloads() as downloaded, _restricted():
        try:
            model = S3PRLUpstream(name, path_or_url=source)
        except Exception as error:
            raise _why_not(name, checkpoint, error) from error
    strides = [int(stride) for stride in model.downsample_rates]
    if len(set(model.hidden_sizes)) > 1 or len(set(strides)) > 1:
        raise BadSpec(
            f"s3prl:{name} has states that do not fit one group: widths "
            f"{model.hidden_sizes}, strides {strides} samples"
        )
    if name.startswith("hf_"):
        _return_all_states(model.upstream.model)
    return model.eval(), [*files, *downloaded]


def _check(name: str, checkpoint: str | None) -> None:
    known = known_names()
    if name not in known:
        raise UnknownName("S3PRL upstream", name, known, f"about them: {_LIST}")
    if name.endswith(_FROM_FILE) and checkpoint is None:
        raise BadSpec(f"s3prl:{name} needs checkpoint=: {_example(name)}")
    if not name.endswith(_FROM_FILE) and checkpoint is not None:
        raise BadSpec(
            f"s3prl:{name} takes no checkpoint={checkpoint}: it has its own, or none\n"
            f"  a name that takes one: {_example(name)}"
        )


def _family(name: str) -> str:
    """Return the module of a name; that of a family ends in ``.hubconf``."""
    module: str = getattr(hub, name).__module__
    return module


def _example(name: str) -> str:
    """Return how to name a checkpoint of the same family."""
    family = [other for other in known_names() if _family(other) == _family(name)]
    local = [other for other in family if other.endswith(_FROM_FILE)]
    return f"s3prl:{local[-1]},checkpoint=FILE" if local else "no name of its family"


def _source(name: str, checkpoint: str | None) -> tuple[str | None, list[Path]]:
    """Return the path that S3PRL loads from, and its files."""
    if checkpoint is None:
        return None, []
    if name.startswith("hf_"):
        disable_progress_bar()  # it would disturb our own progress bar
        folder = checkpoint_folder(checkpoint)
        options = {"checkpoint": checkpoint, "revision": None}
        return str(folder), checkpoint_files(options)
    file = user_path(checkpoint)
    if not is_file(file):
        raise CheckpointMissing(f"s3prl:{name}: there is no file {checkpoint}")
    return str(file), [file]


@contextlib.contextmanager
def _downloads() -> Iterator[list[Path]]:
    """Collect the files that S3PRL downloads in the block, or has downloaded before."""
    original, downloaded = download._download, []

    def fetch(file: Path, url: str, refresh: bool) -> None:
        if not file.is_file():  # S3PRL sets no timeout
            urlopen(url, timeout=PATIENCE).close()  # noqa: S310  an address of S3PRL's
        original(file, url, refresh)
        downloaded.append(file)

    download._download = fetch
    try:
        yield downloaded
    finally:
        download._download = original


@contextlib.contextmanager
def _restricted() -> Iterator[None]:
    """Load without running code of a checkpoint, and with fixed random weights.

    Some families ask torch for full unpickling, and some keep random weights where a
    checkpoint lacks them. S3PRL also changes torch's seed.
    """
    force = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(force)
    os.environ[force] = "1"
    safe = torch.serialization.safe_globals([argparse.Namespace])
    try:
        with safe, torch.random.fork_rng(devices=[]), _no_deprecation_warnings():
            torch.manual_seed(0)
            yield
    finally:
        del os.environ[force]
        if before is not None:
            os.environ[force] = before


def _return_all_states(model: Any) -> None:
    """Make a model of transformers return all states, the last one normalised."""

    def normalise(module: nn.Module, inputs: object, out: Any) -> Any:
        out.hidden_states = (*out.hidden_states[:-1], out.last_hidden_state)
        return out

    model.config.layerdrop = 0.0  # LayerDrop would leave out states in training
    model.register_forward_hook(normalise)


def _why_not(name: str, checkpoint: str | None, error: Exception) -> NserbenchError:
    """Return why an upstream cannot be loaded, and what to do next."""
    reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    if isinstance(error, ImportError):
        return NserbenchError(f"s3prl:{name} needs another package: {error}")
    if isinstance(error, pickle.UnpicklingError):
        return CheckpointMissing(
            f"the checkpoint of s3prl:{name} holds more than tensors and plain values\n"
            "  it could run any code, so it is not loaded"
        )
    if checkpoint is not None:
        return CheckpointMissing(
            f"{checkpoint} cannot be loaded as s3prl:{name}: {reason}"
        )
    if isinstance(error, OSError):
        return CheckpointMissing(
            f"the weights of s3prl:{name} are not on this machine "
            f"and cannot be downloaded: "
            f"{reason}\n"
            f"  a copy in a file: {_example(name)}\n"
            "  with a network they are downloaded once, into ~/.cache/s3prl/download"
        )
    return NserbenchError(f"s3prl:{name} cannot be loaded: {reason}")
