"""Conv-TasNet and DCCRN as Asteroid trains and saves them."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import asteroid
import numpy as np
import torch
from asteroid.masknn import recurrent
from asteroid.models import BaseModel
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing, NserbenchError
from nserbench.paths import is_file, user_path
from nserbench.plain_data import parse_json
from nserbench.upstreams.base import SAMPLE_RATE
from nserbench.upstreams.enhancement.base import Enhancer
from nserbench.upstreams.loading.hub import find_folder
from nserbench.upstreams.loading.size_limit import SizeLimit
from nserbench.upstreams.loading.torch_files import refuse_placeholders, torch_file

CONFIG, SAFE = "config.json", "model.safetensors"
PICKLED = "pytorch_model.bin"

ALWAYS = {"naming": "asteroid", "encoder_decoder_bias": False, "gLN_eps": 1e-8}
"""Keys of ``config.json`` that are no arguments of the model, and their only values."""

_scalar = cast("Callable[..., Any]", np.float64().__reduce__()[0])
_SCORE: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    # Needed to unpickle training scores: by numpy 1, by numpy 2, by both.
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),
    np.dtype,
    np.dtypes.Float64DType,
]

_UNREADABLE = (EOFError, OSError, RuntimeError, SafetensorError, ValueError)


class AsteroidEnhancer(Enhancer):
    """A model of Asteroid that keeps one voice of a mixture.

    A wave shorter than the model allows is zero-padded, and cut afterwards.

    Args:
        options: ``checkpoint``: a hub id, a folder with ``pytorch_model.bin`` or with
            ``config.json`` and ``model.safetensors``, or one pickled file. And
            ``revision`` of the hub id.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if it is another kind of model, for another sampling rate, or for
            several voices.
    """

    architecture: ClassVar[str]

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        saved = _read(enhancer_files(options))
        _refuse_others(saved, self.architecture, options["checkpoint"])
        self.model = _build(saved).to(device).eval()

    @abc.abstractmethod
    def shortest(self) -> int:
        """Return the lowest number of samples that the model reads."""

    def separate(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the speech in a wave, at the amplitude of the model's output."""
        padded = np.pad(wave, (0, max(0, self.shortest() - len(wave))))
        with torch.no_grad():
            voices = self.model(torch.from_numpy(padded).to(self.device)[None])
        speech: NDArray[np.float32] = voices[0, 0, : len(wave)].cpu().numpy()
        return speech


class ConvTasNet(AsteroidEnhancer):
    """Conv-TasNet (Luo and Mesgarani, 2019): a mask on learned filters."""

    architecture = "ConvTasNet"
    thread_safe = True

    def shortest(self) -> int:
        """Return the length of one filter."""
        return int(self.model.encoder.filterbank.kernel_size)


class DCCRN(AsteroidEnhancer):
    """DCCRN (Hu et al., 2020): a complex mask on the spectrum."""

    architecture = "DCCRNet"
    thread_safe = True

    def shortest(self) -> int:
        """Return the length of one window plus one hop for each encoder block."""
        bank, blocks = self.model.encoder.filterbank, len(self.model.masker.encoders)
        return int(bank.kernel_size + bank.stride * blocks)


def enhancer_files(options: Options) -> list[Path]:
    """Return the files of a checkpoint, the one with the weights last.

    Args:
        options: As for `AsteroidEnhancer`.

    Raises:
        CheckpointMissing: if they are not found.
        BadSpec: if a local file or folder is given a revision.
    """
    checkpoint, revision = options["checkpoint"], options["revision"]
    path = user_path(checkpoint)
    if is_file(path):
        if revision is not None:
            raise BadSpec(f"{checkpoint} is a file and has no revision {revision!r}")
        return [path]
    names = (CONFIG, SAFE) if is_file(path / SAFE) else (PICKLED,)
    folder = find_folder(checkpoint, revision, names, mark=names[0])
    return [folder / name for name in names]


@dataclass(frozen=True, slots=True)
class _SavedModel:
    architecture: str
    arguments: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    file: Path


def _read(files: list[Path]) -> _SavedModel:
    """Read a checkpoint in either form.

    Raises:
        CheckpointMissing: if it cannot be read, or lacks a part.
    """
    file = files[-1]
    try:
        return _read_safe(*files) if file.name == SAFE else _read_pickled(file)
    except KeyError as error:
        raise CheckpointMissing(
            f"{file} is no checkpoint of asteroid: it has no {error}"
        ) from error
    except CheckpointMissing:
        raise
    except _UNREADABLE as error:
        raise CheckpointMissing(f"{file} cannot be read: {error}") from error


def _read_safe(config: Path, file: Path) -> _SavedModel:
    arguments = parse_json(config.read_bytes())
    if not isinstance(arguments, dict):
        raise ValueError(f"its {CONFIG} holds no arguments of a model")
    architecture = arguments.pop("model")
    for key in ALWAYS.keys() & arguments.keys():
        if arguments[key] != ALWAYS[key]:
            raise ValueError(f"its {CONFIG} says {key}={arguments[key]!r}")
        del arguments[key]
    refuse_placeholders([file])
    return _checked(architecture, arguments, load_file(file), file)


def _read_pickled(file: Path) -> _SavedModel:
    with torch_file(file), torch.serialization.safe_globals(_SCORE):
        content = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise ValueError("it holds no dictionary")
    parts = content["model_name"], content["model_args"], content["state_dict"]
    return _checked(*parts, file)


def _checked(
    architecture: object, arguments: object, weights: object, file: Path
) -> _SavedModel:
    """Return what a file holds, if each part is of its kind."""
    if not isinstance(architecture, str) or not isinstance(arguments, dict):
        raise ValueError("it does not say which model it is, and with which arguments")
    tensors = weights if isinstance(weights, dict) else {}
    if not tensors or not all(isinstance(one, Tensor) for one in tensors.values()):
        raise ValueError("its weights are no tensors by name")
    return _SavedModel(architecture, arguments, tensors, file)


def _refuse_others(saved: _SavedModel, architecture: str, checkpoint: str) -> None:
    rate, voices = saved.arguments.get("sample_rate"), saved.arguments.get("n_src", 1)
    if saved.architecture != architecture:
        raise BadSpec(
            f"{checkpoint} is no {architecture}: it holds a {saved.architecture}\n"
            "  convtasnet takes a ConvTasNet of asteroid, dccrn a DCCRNet"
        )
    if rate != SAMPLE_RATE:
        raise BadSpec(
            f"{checkpoint} says sample_rate={rate}\n"
            f"  wanted: a model for {SAMPLE_RATE} Hz, the rate of all audio here"
        )
    if voices != 1:
        raise BadSpec(
            f"{checkpoint} separates {voices} voices\n"
            "  wanted: a model for one voice in noise"
        )


def _build(saved: _SavedModel) -> BaseModel:
    """Create the model and load its weights.

    Raises:
        BadSpec: if there is no such model.
        CheckpointMissing: if weights are missing, unknown, or of another shape.
    """
    make = getattr(asteroid, saved.architecture)
    try:
        with _plain_size(), SizeLimit([saved.file]):
            model = make(**saved.arguments)
    except NserbenchError:
        raise
    except (TypeError, ValueError, KeyError) as error:
        raise BadSpec(
            f"asteroid cannot create the {saved.architecture} of {saved.file}: "
            f"{error!r}"
        ) from error
    if wrong := sorted(_shapes(model.state_dict()) ^ _shapes(saved.weights)):
        raise CheckpointMissing(
            f"the weights in {saved.file} do not fit its {saved.architecture}\n"
            f"  missing, unknown or of another shape: {wrong[0][0]}"
            + (f" and {len(wrong) - 1} more" if len(wrong) > 1 else "")
        )
    model.load_state_dict(dict(saved.weights))
    return model


def _shapes(tensors: Mapping[str, Tensor]) -> set[tuple[str, tuple[int, ...]]]:
    return {(name, tuple(tensor.shape)) for name, tensor in tensors.items()}


@contextmanager
def _plain_size() -> Iterator[None]:
    """Let a DCCRNet be created: it passes a numpy integer, and torch raises."""
    original = recurrent.DCCRMaskNetRNN
    recurrent.DCCRMaskNetRNN = lambda size: original(int(size))
    try:
        yield
    finally:
        recurrent.DCCRMaskNetRNN = original
