"""What every upstream gives: the hidden states of all of its layers."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from nserbench.cards import (
    Card,
    Option,
    Options,
    nested_label,
    several,
    several_label,
)
from nserbench.spec import Spec, parse_spec

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

SAMPLE_RATE = 16_000
"""Hz. Every corpus is resampled to this before an upstream sees it."""


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """What is known of a group before anything is loaded.

    Attributes:
        layers: The numbers of its layers. ``range(0, 13)`` for a module of 12 blocks:
            0 is what enters block 1, ``l`` is what block ``l`` puts out. A group of
            one layer that enters nothing, such as a spectrogram, has ``range(1, 2)``.
        dim: Width of every layer.
        rate: Frames per second, or None where the axis is not time (tokens,
            functionals).
    """

    layers: range
    dim: int
    rate: float | None

    @property
    def blocks(self) -> range:
        """The layers that a block puts out: all but layer 0."""
        return range(max(1, self.layers.start), self.layers.stop)


Groups: TypeAlias = Mapping[str, GroupSpec]
"""The groups of an upstream by name, such as ``encoder`` and ``decoder``."""


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """The layers of one module that share a time axis, such as an encoder.

    Features that were averaged over time have one frame.

    Attributes:
        states: ``(layers, batch, frames, dim)``, float32, in the order of
            `GroupSpec.layers`.
        lengths: ``(batch,)``, int64. Frames of each utterance that are not padding.

    Raises:
        ValueError: if the shapes do not agree, or a length is 0 or beyond ``frames``.
    """

    states: torch.Tensor
    lengths: torch.Tensor

    def __post_init__(self) -> None:
        if self.states.ndim != 4:
            raise ValueError(
                "states must be (layers, batch, frames, dim), "
                f"got shape {tuple(self.states.shape)}"
            )
        _, batch, frames, _ = self.states.shape
        if self.lengths.shape != (batch,):
            raise ValueError(
                f"lengths must be ({batch},) to match states, "
                f"got {tuple(self.lengths.shape)}"
            )
        if not bool(((self.lengths >= 1) & (self.lengths <= frames)).all()):
            raise ValueError(
                f"lengths must lie in 1..{frames} frames, got {self.lengths.tolist()}"
            )


def is_inside(name: str, modules: Sequence[str]) -> bool:
    """Tell whether a parameter or module stands in one of some modules.

    Examples:
        >>> stands_in("model.encoder.conv1.weight", ["encoder.conv1"])
        True
        >>> stands_in("encoder.layers.0.weight", ["encoder.conv1", "layer"])
        False
    """
    return any(f".{one}." in f".{name}." for one in modules)


LayeredFeatures: TypeAlias = Mapping[str, LayerGroup]
"""Groups by name, all of the same utterances in the same order."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What an upstream reads.

    Attributes:
        ids: The utterances.
        waves: ``(samples,)`` float32 for each utterance, mono at `SAMPLE_RATE`, full
            scale at 1.0. Empty for an upstream that reads none.
        texts: A transcript for each, or None where there is none.
        languages: An ISO 639-1 code such as ``"de"`` for each, or None if unknown.
    """

    ids: Sequence[str]
    waves: Sequence[NDArray[np.float32]]
    texts: Sequence[str | None]
    languages: Sequence[str | None]

    @classmethod
    def of(cls, *waves: NDArray[np.float32]) -> Batch:
        """Make a batch of audio alone."""
        none = [None] * len(waves)
        return cls([str(place) for place in range(len(waves))], waves, none, none)


class Upstream(abc.ABC):
    """A loaded model, in evaluation mode on one device.

    Args:
        options: Of the card.
        device: Such as ``"cuda:0"``.

    Attributes:
        model: The module that holds the weights; None for an upstream without any.
    """

    model: nn.Module | None = None

    def __init__(self, options: Options, device: str) -> None:
        self.options = options
        self.device = device

    @abc.abstractmethod
    def forward(self, batch: Batch) -> LayeredFeatures:
        """Give the layered features of a batch; differentiable where it has weights.

        What it gives for an utterance does not depend on the others in the batch.

        Returns:
            The groups that the card announces, on the device of the model.
        """

    def extract(self, batch: Batch) -> LayeredFeatures:
        """Give the features without gradients."""
        import torch

        # Not inference_mode: no head could train on its tensors.
        with torch.no_grad():
            return self.forward(batch)

    def parameter_count(self) -> int:
        """Give the number of weights; 0 for an upstream that has none."""
        if self.model is None:
            return 0
        return sum(weights.numel() for weights in self.model.parameters())


@dataclass(frozen=True, slots=True)
class Recognised:
    """What an upstream heard, and what it took the words to be.

    Attributes:
        features: The layered features.
        texts: The transcript of each utterance.
    """

    features: LayeredFeatures
    texts: Sequence[str]


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode for a while, whatever mode its parts are in.

    What is written down while a model is trained is not left to dropout.
    """
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


class Transcriber(Upstream):
    """An upstream that can also write down what it hears."""

    @abc.abstractmethod
    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Give the layered features, as `forward`, and the transcripts they come with.

        What it gives for an utterance does not depend on the others in the batch.
        """

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Give the layered features."""
        return self.forward_and_transcribe(batch).features

    def transcribe(self, batch: Batch) -> list[str]:
        """Give the transcript of each utterance alone."""
        import torch

        with torch.no_grad():
            return list(self.forward_and_transcribe(batch).texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard(Card):
    """What is known of something with weights before it is loaded.

    ``load`` names a callable that takes the options and a device such as ``"cuda:0"``.

    Attributes:
        files: ``"package.module:function"`` that takes the options and gives the
            checkpoint's files on this machine, fetching them where need be. Their
            digest identifies the outputs. None where there are no weights.
    """

    files: str | None = None

    def checkpoint_files(self, options: Options) -> Sequence[Path]:
        """Give the files whose content decides the outputs."""
        if self.files is None:
            return ()
        found: Sequence[Path] = self.resolve(self.files)(options)
        return found


JOINT = "joint"
"""In place of a head to tune under: each cell's own."""


def tuned_under(text: str) -> Spec | str:
    """Read the head that an upstream is tuned under, or the word `JOINT`."""
    return text if text == JOINT else parse_spec(text)


def rate(text: str) -> float:
    """Read a learning rate."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise ValueError("a number between 0 and 1 is wanted, such as 1e-5")
    return value


_GROUPS = Option(
    help="groups to hand to the head, joined by +; all unless given",
    parse=several,
    label=several_label,
    affects_features=False,
)
_FINETUNE = Option(
    help="head under which it is tuned, such as last; joint for each cell's own",
    parse=tuned_under,
    label=nested_label,
    affects_features=False,
    names_a="downstream",
)
_RATE = Option(
    help="learning rate of the upstream's weights where they are tuned",
    parse=rate,
    label=lambda value: f"{value:g}",
    affects_features=False,
)
_ENHANCE = Option(
    help="enhancer to clean the audio with first, such as dccrn",
    parse=parse_spec,
    label=nested_label,
    affects_features=False,
    names_a="enhancer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCard(ModelCard):
    """What is known of an upstream before it is loaded.

    ``load`` names a callable that takes the options and a device such as ``"cuda:0"``
    and returns an `Upstream`.

    Attributes:
        groups: What it gives, or a function from options to that. The function may
            read a checkpoint's configuration, but neither weights nor torch.
        reads: Which fields of a `Batch` change the features. One that reads ``waves``
            has the option ``enhance``; one that reads ``texts`` may have an option
            ``text``, whose value is ``reference`` or an upstream that transcribes.
        min_samples: Shorter clips are zero-padded to this.
        max_samples: Longer clips are cut to this; None for no limit.
        transcribes: Whether it is a `Transcriber`, or a function from options to that,
            as ``groups``.
        tunable: Whether it can be trained under a head, or a function from options
            to that. One that can has the options ``finetune`` and ``lr``.
        frozen: Names of modules that stay as they are then, such as
            ``feature_extractor``, wherever they stand in the model; or a function
            from options to them.
        learning_rate: Of its weights then, unless ``lr`` is typed.
        window: Samples that a clip is padded to inside the model, as Whisper does; 0
            where it is none.
        batch: Utterances at once on a CPU. More than 1 only where they are worked on
            apart, so that features are the same to the bit in any batch.
    """

    kind: ClassVar[str] = "upstream"
    common: ClassVar[Mapping[str, Option]] = MappingProxyType({"groups": _GROUPS})

    groups: Groups | Callable[[Options], Groups]
    reads: frozenset[str] = field(default=frozenset({"waves"}))
    min_samples: int = 1
    max_samples: int | None = None
    transcribes: bool | Callable[[Options], bool] = False
    tunable: bool | Callable[[Options], bool] = False
    frozen: Sequence[str] | Callable[[Options], Sequence[str]] = ()
    learning_rate: float = 1e-4
    window: int = 0
    batch: int = 1

    @property
    def reads_audio(self) -> bool:
        """Whether audio changes the features."""
        return "waves" in self.reads

    def all_options(self) -> dict[str, Option]:
        """Give the options of this card and of all upstreams of its sort."""
        found = {**self.common}
        if self.reads_audio:
            found["enhance"] = _ENHANCE
        if self.tunable:
            found["finetune"] = _FINETUNE
            found["lr"] = replace(_RATE, default=self.learning_rate)
        return {**found, **self.options}

    def describe(self, options: Options) -> Groups:
        """Give the groups for some options, before anything is loaded."""
        return self.groups(options) if callable(self.groups) else self.groups

    def can_transcribe(self, options: Options) -> bool:
        """Tell whether the upstream with these options is a `Transcriber`."""
        said = self.transcribes
        return said(options) if callable(said) else said

    def can_tune(self, options: Options) -> bool:
        """Tell whether the upstream with these options has weights to tune."""
        said = self.tunable
        return said(options) if callable(said) else said

    def frozen_modules(self, options: Options) -> Sequence[str]:
        """Give the names of the modules that a tuning leaves as they are."""
        said = self.frozen
        return said(options) if callable(said) else said

    def open(self, options: Options, device: str) -> Upstream:
        """Load the model on a device."""
        upstream: Upstream = self.resolve(self.load)(options, device)
        if upstream.model is not None and device == "cpu":
            from nserbench.matmul import use_onednn

            use_onednn(upstream.model)
        return upstream
