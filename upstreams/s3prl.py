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
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.request import urlopen

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers.utils.logging import disable_progress_bar

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing, NserbenchError, UnknownName
from nserbench.upstreams.base import (
    SAMPLE_RATE,
    Batch,
    Groups,
    GroupSpec,
    LayeredFeatures,
    LayerGroup,
    Upstream,
)
from nserbench.upstreams.loading.hub import (
    PATIENCE,
    checkpoint_files,
    checkpoint_folder,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@contextlib.contextmanager
def _dated() -> Iterator[None]:
    """Say nothing of the parts of torch that S3PRL should not use any more."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
        yield


# It says there that ESPnet is not installed, whatever it is imported for.
logging.getLogger("s3prl.upstream.espnet_hubert.expert").setLevel(logging.ERROR)
with _dated():
    from s3prl import hub
    from s3prl.nn import S3PRLUpstream
    from s3prl.util import download

_FROM_FILE = ("_local", "_custom")
_FROM_ADDRESS = ("_url", "_gdriveid")
_FRONT = "feature_extractor"
_LIST = "https://s3prl.github.io/s3prl/tutorial/upstream_collection.html"


class S3prl(Upstream):
    """The hidden states of one of S3PRL's upstreams, numbered as there, from 0.

    An upstream with a single state has it as layer 1. S3PRL makes the number of frames
    ``ceil(samples / stride)`` by cutting or by repeating the last frame; they are left
    as it gives them. Utterances are worked on one by one, since its padding may change
    what stands beside it.

    Of the ``hf_`` names, whose states are transformers' own, the last state is
    replaced by the normalised one, as everywhere here. The other families do so
    themselves.

    Args:
        options: ``name``, and ``checkpoint`` for the names that end in ``_local`` or
            ``_custom``.
        device: Where to compute, such as ``"cuda:0"``.

    Raises:
        UnknownName: if S3PRL has no upstream of this name.
        BadSpec: if a checkpoint is missing or one too many, or if the states differ in
            width or frame rate.
        CheckpointMissing: if the weights are neither here nor to be had, or are not
            those of such an upstream.
        NserbenchError: if the upstream lacks a package, or something else it needs.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        model, _ = _load(options["name"], options["checkpoint"])
        self.model: nn.Module = model.to(device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Give the group ``hidden``."""
        with _dated():
            each = [self._hear(wave) for wave in batch.waves]
        lengths = torch.tensor([len(states) for states in each], device=self.device)
        padded = pad_sequence(each, batch_first=True)
        return {"hidden": LayerGroup(padded.permute(2, 0, 1, 3), lengths)}

    def _hear(self, wave: NDArray[np.float32]) -> Tensor:
        """Turn ``(samples,)`` into ``(frames, layers, dim)``."""
        samples = torch.as_tensor(wave, device=self.device)
        try:
            states, lengths = self.model(samples[None], torch.tensor([len(wave)]))
        except AssertionError as error:  # of its own check that frames fit samples
            raise ValueError(
                f"s3prl:{self.options['name']} cannot read {len(wave)} samples: "
                f"{error} frames"
            ) from error
        frames = {state.shape[1] for state in states} | {int(it) for it in lengths}
        if len(frames) != 1:
            raise ValueError(
                f"s3prl:{self.options['name']} gives states of {sorted(frames)} frames"
            )
        return torch.stack([state[0] for state in states], dim=1)


def describe(options: Options) -> Groups:
    """Give the group of an upstream by loading it, once in a process.

    S3PRL tells neither the number nor the width of the states before that.

    Raises:
        NserbenchError: as `S3prl`.
    """
    return _facts(options["name"], options["checkpoint"]).groups


def files(options: Options) -> tuple[Path, ...]:
    """Give the files of the weights by loading the upstream, once in a process.

    Returns:
        Those of ``checkpoint``, else those that S3PRL keeps a copy of, or none.

    Raises:
        NserbenchError: as `S3prl`.
    """
    return _facts(options["name"], options["checkpoint"]).files


def tunes(options: Options) -> bool:
    """Tell whether an upstream has weights, by loading it, once in a process."""
    return _facts(options["name"], options["checkpoint"]).weighs


def front(options: Options) -> tuple[str, ...]:
    """Give the name of an upstream's convolutions in front, if it has such."""
    return _facts(options["name"], options["checkpoint"]).front


def known_names() -> list[str]:
    """Give the names that can be asked for, sorted.

    Those that take an address are left out: ``checkpoint`` is a file.
    """
    return sorted(
        name
        for name in S3PRLUpstream.available_names()
        if _family(name).endswith(".hubconf") and not name.endswith(_FROM_ADDRESS)
    )


class _Facts(NamedTuple):
    """What there is to say of an upstream that was loaded."""

    groups: Groups
    files: tuple[Path, ...]
    weighs: bool
    front: tuple[str, ...]


@functools.cache
def _facts(name: str, checkpoint: str | None) -> _Facts:
    model, files = _load(name, checkpoint)
    many = model.num_layers > 1
    layers = range(model.num_layers) if many else range(1, 2)
    rate = SAMPLE_RATE / model.downsample_rates[0]
    names = [one for one, _ in model.named_parameters()]
    convolved = any(f".{_FRONT}." in one for one in names)
    return _Facts(
        {"hidden": GroupSpec(layers, model.hidden_sizes[0], rate)},
        tuple(files),
        bool(names),
        (_FRONT,) if convolved else (),
    )


def _load(name: str, checkpoint: str | None) -> tuple[Any, list[Path]]:
    """Give an S3PRLUpstream and the files that its weights are from."""
    _check(name, checkpoint)
    source, given = _source(name, checkpoint)
    with _fetches() as fetched, _safely():
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
        _mend(model.upstream.model)
    return model.eval(), [*given, *fetched]


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
    """Give the module that a name comes from; ``.hubconf`` of a family ends it."""
    module: str = getattr(hub, name).__module__
    return module


def _example(name: str) -> str:
    """Give what to type for a checkpoint of the same family."""
    family = [it for it in known_names() if _family(it) == _family(name)]
    taking = [it for it in family if it.endswith(_FROM_FILE)]
    return f"s3prl:{taking[-1]},checkpoint=FILE" if taking else "no name of its family"


def _source(name: str, checkpoint: str | None) -> tuple[str | None, list[Path]]:
    """Give what S3PRL is to load, and the files of it."""
    if checkpoint is None:
        return None, []
    if name.startswith("hf_"):
        disable_progress_bar()  # it would cut through the one that shows the run
        folder = checkpoint_folder(checkpoint)
        options = {"checkpoint": checkpoint, "revision": None}
        return str(folder), checkpoint_files(options)
    file = Path(checkpoint).expanduser()
    if not file.is_file():
        raise CheckpointMissing(f"s3prl:{name}: there is no file {checkpoint}")
    return str(file), [file]


@contextlib.contextmanager
def _fetches() -> Iterator[list[Path]]:
    """List the files that S3PRL fetches meanwhile, or has fetched before."""
    own, fetched = download._download, []

    def fetch(file: Path, url: str, refresh: bool) -> None:
        if not file.is_file():  # it would wait without limit
            urlopen(url, timeout=PATIENCE).close()  # noqa: S310  an address of S3PRL's
        own(file, url, refresh)
        fetched.append(file)

    download._download = fetch
    try:
        yield fetched
    finally:
        download._download = own


@contextlib.contextmanager
def _safely() -> Iterator[None]:
    """Let no checkpoint run code, nor any weight that it lacks be left to chance.

    Some families ask torch for full unpickling, and some leave weights that a
    checkpoint lacks as they were drawn. S3PRL itself seeds torch anew.
    """
    force = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(force)
    os.environ[force] = "1"
    plain = torch.serialization.safe_globals([argparse.Namespace])
    try:
        with plain, torch.random.fork_rng(devices=[]), _dated():
            torch.manual_seed(0)
            yield
    finally:
        del os.environ[force]
        if before is not None:
            os.environ[force] = before


def _mend(model: Any) -> None:
    """Make a model of transformers give every state, and the last one normalised."""

    def normalise(module: nn.Module, inputs: object, out: Any) -> Any:
        out.hidden_states = (*out.hidden_states[:-1], out.last_hidden_state)
        return out

    model.config.layerdrop = 0.0  # in training, a dropped layer's state is left out
    model.register_forward_hook(normalise)


def _why_not(name: str, checkpoint: str | None, error: Exception) -> NserbenchError:
    """Say why an upstream cannot be loaded, and what would help."""
    reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    if isinstance(error, ImportError):
        return NserbenchError(f"s3prl:{name} needs another package: {error}")
    if isinstance(error, pickle.UnpicklingError):
        return CheckpointMissing(
            f"the checkpoint of s3prl:{name} holds more than tensors and plain values\n"
            "  loading it could run any code, so it is not loaded"
        )
    if checkpoint is not None:
        return CheckpointMissing(
            f"{checkpoint} cannot be loaded as s3prl:{name}: {reason}"
        )
    if isinstance(error, OSError):
        return CheckpointMissing(
            f"the weights of s3prl:{name} are not on this machine and cannot be had: "
            f"{reason}\n"
            f"  a copy in a file: {_example(name)}\n"
            "  with a network it is fetched once, into ~/.cache/s3prl/download"
        )
    return NserbenchError(f"s3prl:{name} cannot be loaded: {reason}")
