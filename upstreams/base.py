"""Base of all upstreams: models that return the hidden states of all their layers."""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from nserbench.cards import Option, Options
from nserbench.errors import copy_named
from nserbench.upstreams.card_options import (
    ALWAYS,
    ENHANCE,
    FINETUNE,
    GROUPS,
    tuning_options,
)
from nserbench.upstreams.groups import Description, Groups
from nserbench.upstreams.model_card import ModelCard

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

SAMPLE_RATE = 16_000
"""Hz. All audio is resampled to this rate before an upstream reads it."""


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """The layers of one module that share a time axis, such as an encoder.

    Features that are averaged over time have one frame.

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

    @classmethod
    def pad(cls, utterances: Sequence[torch.Tensor]) -> LayerGroup:
        """Pad utterances with zeros to the longest one, and stack them.

        Args:
            utterances: ``(layers, frames, dim)`` of each utterance.

        Returns:
            States ``(layers, batch, longest frames, dim)``, with the length of each.

        Raises:
            ValueError: if one is no tensor, or has other dimensions.
        """
        import torch
        from torch.nn.utils.rnn import pad_sequence

        for states in utterances:
            if not isinstance(states, torch.Tensor) or states.ndim != 3:
                got = f"{type(states).__name__} {tuple(getattr(states, 'shape', ()))}"
                raise ValueError(f"pad takes tensors (layers, frames, dim), got {got}")
        by_time = [states.transpose(0, 1) for states in utterances]
        counts = [len(frames) for frames in by_time]
        padded = pad_sequence(by_time, batch_first=True).permute(2, 0, 1, 3)
        return cls(padded, torch.tensor(counts, device=padded.device))


def is_inside(name: str, modules: Sequence[str]) -> bool:
    """Return whether a parameter or module is inside one of some modules.

    Examples:
        >>> is_inside("model.encoder.conv1.weight", ["encoder.conv1"])
        True
        >>> is_inside("encoder.layers.0.weight", ["encoder.conv1", "layer"])
        False
    """
    return any(f".{module}." in f".{name}." for module in modules)


LayeredFeatures: TypeAlias = Mapping[str, LayerGroup]
"""Groups by name; all hold the same utterances in the same order."""


_BY_UTTERANCE = ("ids", "waves", "texts", "languages", "unenhanced")
"""Fields of a batch that have a value for each utterance, or none."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of utterances: the input of an upstream.

    Attributes:
        ids: Ids of the utterances.
        waves: ``(samples,)`` float32 for each utterance, mono at `SAMPLE_RATE`, full
            scale at 1.0. Empty if the upstream reads no audio.
        texts: A transcript for each, or None where there is none.
        languages: An ISO 639-1 code such as ``"de"`` for each, or None if unknown.
        groups: Names of the groups that are read; None for all. An upstream may leave
            out the others to save time, but need not.
        unenhanced: The waves before an enhancer, for an upstream that reads them as
            well; empty if there was no enhancer.
    """

    ids: Sequence[str]
    waves: Sequence[NDArray[np.float32]]
    texts: Sequence[str | None]
    languages: Sequence[str | None]
    groups: frozenset[str] | None = field(default=None, kw_only=True)
    unenhanced: Sequence[NDArray[np.float32]] = field(default=(), kw_only=True)

    def reads(self, group: str) -> bool:
        """Return whether a group is read."""
        return self.groups is None or group in self.groups

    def tensors(self, device: str = "cpu") -> list[torch.Tensor]:
        """Return the waves as tensors on a device, each a copy, ``(samples,)``."""
        import torch

        return [torch.tensor(wave, device=device) for wave in self.waves]

    def utterances(self) -> list[Batch]:
        """Return each utterance as a batch of its own."""
        return self.parts(1)

    def parts(self, size: int) -> list[Batch]:
        """Return batches of at most ``size`` utterances, in the same order."""
        rows = [slice(row, row + size) for row in range(0, len(self.ids), size)]
        return [
            replace(self, **{name: getattr(self, name)[row] for name in _BY_UTTERANCE})
            for row in rows
        ]

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """Return all utterances of batches whose ``groups`` are equal as one batch."""
        lists: dict[str, Any] = {
            name: [value for batch in batches for value in getattr(batch, name)]
            for name in _BY_UTTERANCE
        }
        return replace(batches[0], **lists)

    @classmethod
    def of(cls, *waves: NDArray[np.float32]) -> Batch:
        """Return a batch of audio only, with the ids 0, 1 and so on.

        Args:
            *waves: ``(samples,)`` float32 of each utterance, as in `waves`.
        """
        none = [None] * len(waves)
        return cls([str(index) for index in range(len(waves))], waves, none, none)


class Upstream(abc.ABC):
    """A loaded model, in evaluation mode on one device.

    Args:
        options: The card's options.
        device: Device to compute on, such as ``"cuda:0"``.

    Attributes:
        model: The module that holds the weights; None if there are none.
        card: The card that opened it; None if no card did.
        rate: Frames per second, for a card that does not say its groups; None if they
            are to be counted.
        thread_safe: Whether several threads may call `extract` at once: a call changes
            nothing that another one reads. On a CPU, clips are then extracted side by
            side, one on each core. Each class says it for itself; see `thread_safety`.
    """

    model: nn.Module | None = None
    card: UpstreamCard | None = None
    rate: float | None = None
    thread_safe: bool = False

    def __init__(self, options: Options, device: str) -> None:
        self.options = options
        self.device = device

    @abc.abstractmethod
    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the layered features of a batch, differentiable if it has weights.

        Features of an utterance do not depend on the others in the batch.

        Args:
            batch: The audio and texts of one or more utterances.

        Returns:
            The groups that the card describes, on the device of the model. Those that
            are not in ``batch.groups`` may be missing.
        """

    def extract(self, batch: Batch) -> LayeredFeatures:
        """Return the features without gradients."""
        import torch

        # Not inference_mode: a head could not train on its tensors.
        with torch.no_grad():
            return self.forward(batch)

    def parameter_count(self) -> int:
        """Return the number of weights; 0 if there are none."""
        if self.model is None:
            return 0
        return sum(weights.numel() for weights in self.model.parameters())


@dataclass(frozen=True, slots=True)
class Recognised:
    """The layered features of a batch and its transcripts.

    Attributes:
        features: The layered features.
        texts: The transcript of each utterance.
    """

    features: LayeredFeatures
    texts: Sequence[str]


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode, and restore the mode of each part afterwards.

    So dropout does not change the transcripts of a model in training.
    """
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


class Transcriber(Upstream):
    """An upstream that also transcribes."""

    @abc.abstractmethod
    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Return the layered features, as `forward` does, and the transcripts.

        Results for an utterance do not depend on the others in the batch.

        Args:
            batch: The audio of one or more utterances.
        """

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the layered features."""
        return self.forward_and_transcribe(batch).features

    def transcribe(self, batch: Batch) -> list[str]:
        """Return only the transcript of each utterance."""
        import torch

        with torch.no_grad():
            return list(self.forward_and_transcribe(batch).texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCard(ModelCard):
    """What is known about an upstream before it is loaded.

    ``load`` names a callable that takes the options and a device such as ``"cuda:0"``
    and returns an `Upstream`.

    Attributes:
        groups: Its groups, or a function from options to them, or to a `Description`
            where the options decide more than the groups. The function may read a
            checkpoint's configuration, but must not load weights or import torch. If
            None, the upstream is loaded and tried to find out; several layers then
            count from 0, one is layer 1.
        reads: Fields of a `Batch` that change the features. One that reads ``waves``
            has the option ``enhance``, and may read ``unenhanced``; one that reads
            ``texts`` may have an option ``text``, whose value is ``reference`` or an
            upstream that transcribes.
        min_samples: Shorter clips are zero-padded to this.
        max_samples: Longer clips are cut to this; None for no limit.
        transcribes: Whether it is a `Transcriber`; None if its options decide.
        without_transcript: Groups that a `Transcriber` returns without transcribing, if
            no other group is read; most often its encoder.
        tunable: Whether it can be fine-tuned; None if its options decide. Unless it is
            False, there are the options ``finetune``, ``lr`` and ``lora``.
        always_trained: Whether its features mean nothing before training, so that
            ``finetune=joint`` is the default and there is no ``lora``. Its random
            weights are drawn from torch's global generator, which the fit seeds.
        teacher: A function from the options to those of the same upstream that is
            trained on clean speech first, and is then the teacher of a `PairUpstream`;
            it returns None where there is no teacher.
        frozen: Names of modules that fine-tuning does not change, such as
            ``feature_extractor``, wherever they are in the model.
        learning_rate: Default learning rate of its weights in fine-tuning.
        window: Samples that a clip is padded to inside the model, as in Whisper; 0 if
            it is not padded.
        languages: A function, or ``"package.module:function"``, that takes the options
            and returns the codes of the languages that the checkpoint knows, or None if
            it knows any; None if the model takes no language.
        batch: Most utterances of a batch on a CPU. More than 1 only if features are
            equal to the bit in any batch.
        remark: What has to be known of its numbers wherever they are shown, such as
            that it is not the authors' system; empty if nothing.
    """

    kind: ClassVar[str] = "upstream"
    common: ClassVar[Mapping[str, Option]] = MappingProxyType({"groups": GROUPS})

    groups: Groups | Callable[[Options], Groups | Description] | None = None
    reads: frozenset[str] = field(default=frozenset({"waves"}))
    min_samples: int = 1
    max_samples: int | None = None
    transcribes: bool | None = False
    without_transcript: Sequence[str] = ()
    tunable: bool | None = False
    always_trained: bool = False
    teacher: Callable[[Options], Mapping[str, Any] | None] | None = None
    frozen: Sequence[str] = ()
    learning_rate: float = 1e-4
    window: int = 0
    languages: str | Callable[[Options], Collection[str] | None] | None = None
    batch: int = 1
    remark: str = ""

    @property
    def reads_audio(self) -> bool:
        """Whether audio changes the features."""
        return "waves" in self.reads

    def all_options(self) -> dict[str, Option]:
        """Return the options of this card and those of all upstreams like it."""
        options = {**self.common}
        if self.reads_audio:
            options["enhance"] = ENHANCE
        if self.tunable is not False:
            options["finetune"] = ALWAYS if self.always_trained else FINETUNE
            options |= tuning_options(self.learning_rate, self.always_trained)
        return {**options, **self.options, **self.option_of_checkpoints()}

    def describe(self, options: Options) -> Description:
        """Return what is known with these options; see `groups` for how."""
        with copy_named(self.before_copy):
            groups = self.groups(options) if callable(self.groups) else self.groups
        if groups is None:
            from nserbench.upstreams.measured_groups import measured_groups

            groups = measured_groups(self, options)
        if isinstance(groups, Description):
            return groups
        known = bool(self.transcribes), bool(self.tunable), self.frozen
        return Description(groups, *known)

    def can_transcribe(self, options: Options) -> bool:
        """Return whether it transcribes; reads a configuration only if that decides."""
        known = self.transcribes
        return self.describe(options).transcribes if known is None else known

    def transcribes_for(self, options: Options, groups: Iterable[str]) -> bool:
        """Return whether it has to transcribe to return some groups."""
        others = set(groups) - set(self.without_transcript)
        return bool(others) and self.can_transcribe(options)

    def teacher_options(self, options: Options) -> Options | None:
        """Return the options of the teacher; None if there is none."""
        changed = None if self.teacher is None else self.teacher(options)
        return None if changed is None else {**options, **changed}

    def open(self, options: Options, device: str) -> Upstream:
        """Load the model on a device."""
        with copy_named(self.before_copy):
            upstream: Upstream = self.loader()(options, device)
        upstream.card = self
        if upstream.model is not None and device == "cpu":
            from nserbench.matmul import use_fast_products

            use_fast_products(upstream.model)
        return upstream
