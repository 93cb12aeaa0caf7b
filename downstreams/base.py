"""Base of all heads: a module from layered features to class logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from nserbench.cards import Card, Option, Options, several
from nserbench.upstreams.groups import Groups, GroupSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

Tier = Literal["pooled", "frames"]
"""``pooled``: means over valid frames, as groups of one frame; ``frames``: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a head is trained: Adam on the cross-entropy.

    Attributes:
        epochs: Passes over the training set.
        batch_size: Utterances in one training step.
        learning_rate: Learning rate of Adam at the start.
        standardise: Whether features are z-scored with mean and standard deviation
            over the training set: of means over time for a pooled head, of all valid
            frames for a head on frames.
        class_weights: Whether the loss of a class is weighted by the inverse of its
            share of the training set.
        label_smoothing: Share of the target that is spread over all classes.
        schedule: Schedule of the learning rate: ``constant``, or ``cosine`` down to 0
            over all steps.
        precision: Precision of the large matrix products of heads on frames in
            training: ``bf16`` lets ``torch.autocast`` round their inputs. Weights,
            predictions and pooled heads stay in float32.
    """

    epochs: int = 50
    batch_size: int = 32
    learning_rate: float = 1e-4
    standardise: bool = False
    class_weights: bool = False
    label_smoothing: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    precision: Literal["fp32", "bf16"] = "fp32"


def anything(groups: Groups, options: Options) -> str | None:
    """Refuse no upstream."""
    return None


def every_layer(spec: GroupSpec, options: Options) -> range:
    """Return all layers of a group, layer 0 included."""
    return spec.layers


def as_it_is(groups: Groups, options: Options) -> Sequence[Options]:
    """Return the options of one cell, unchanged."""
    return [options]


@dataclass(frozen=True, slots=True, kw_only=True)
class DownstreamCard(Card):
    """What is known about a head before it is built.

    ``load`` names a callable ``(groups, classes, options) -> torch.nn.Module``, with
    the specs of the groups to read, the number of classes, and the checked options.
    The module's ``forward(features: LayeredFeatures)`` gives logits
    ``(batch, classes)``.

    Attributes:
        tier: The features that it reads: means over time or frames. A pooled head
            averages over time first, so its output is the same on frames.
        recipe: How it is trained unless a protocol says otherwise.
        refuses: Function that returns why the head cannot read these groups, or None
            if it can.
        layers: Function that returns the layers of a group that it reads. The module
            is built for these only, and frames of others are not stored for it.
        expands: Function from its options, and the groups to read, to the options of
            one or more cells: ``layer=all`` makes a cell for each layer.
        chooses: Card of the candidates, where the head is the best of several on the
            development set; ``expands`` then returns their options. Else None.
    """

    kind: ClassVar[str] = "downstream"
    common: ClassVar[Mapping[str, Option]] = MappingProxyType(
        {
            "groups": Option(
                help="groups of the upstream to read, joined by +; all if not given",
                parse=several,
            )
        }
    )

    tier: Tier = "pooled"
    recipe: Recipe = Recipe()
    refuses: Callable[[Groups, Options], str | None] = anything
    layers: Callable[[GroupSpec, Options], range] = every_layer
    expands: Callable[[Groups, Options], Sequence[Options]] = as_it_is
    chooses: DownstreamCard | None = None

    def build(self, groups: Groups, classes: int, options: Options) -> nn.Module:
        """Build the head with fresh weights from torch's global generator."""
        head: nn.Module = self.loader()(groups, classes, options)
        return head


@runtime_checkable
class HasLayerWeights(Protocol):
    """A head with one weight for each layer of a group, which results then store.

    Heads need not have layer weights. Attention has none, since it weighs the layers
    of each utterance separately.
    """

    def layer_weights(self) -> Mapping[str, Tensor]:
        """Return the layer weights of each group, ``(layers,)``, detached.

        They are in the order of the card's ``layers``, and after the softmax if there
        is one. Free weights may have any sign.
        """
        ...
