"""What every head is: a module from layered features to class logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from nserbench.cards import Card, Option, Options, several, several_label
from nserbench.upstreams.base import Groups, GroupSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

Tier = Literal["pooled", "frames"]
"""``pooled``: means over valid frames, as groups of one frame; ``frames``: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a head is trained: Adam on the cross-entropy.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Utterances in a step.
        learning_rate: Of Adam, at the start.
        standardise: Whether features are z-scored with mean and standard deviation
            over the training set: of means over time for a pooled head, of all valid
            frames for a head on frames.
        class_weights: Whether a class counts by the inverse of its share of the
            training part.
        label_smoothing: Share of the target that is spread over all classes.
        schedule: Of the learning rate: ``constant``, or ``cosine`` from its start to 0
            over all steps.
        precision: Of the large products of heads on frames in training: ``bf16`` lets
            ``torch.autocast`` round what goes into them. Weights, predictions and
            pooled heads stay in float32.
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
    """Apply to every upstream."""
    return None


def every_layer(spec: GroupSpec, options: Options) -> range:
    """Read all layers of a group, layer 0 included."""
    return spec.layers


def as_it_is(groups: Groups, options: Options) -> Sequence[Options]:
    """Stand for one cell."""
    return [options]


@dataclass(frozen=True, slots=True, kw_only=True)
class DownstreamCard(Card):
    """What is known of a head before it is built.

    ``load`` names a callable ``(groups, classes, options) -> torch.nn.Module``, with
    the specs of the groups to read, the number of classes, and the checked options.
    The module's ``forward(features: LayeredFeatures)`` gives logits
    ``(batch, classes)``.

    Attributes:
        tier: What it needs. A head of the pooled tier pools over time first, so that
            it gives the same on frames.
        recipe: How it is trained unless a protocol says otherwise.
        refuses: Says why the head cannot exist on these groups, or None if it can.
        layers: The layers of a group that it reads. The module is built for, and
            given, these only, so that a head on one layer does not read thirteen.
        expands: Turns its options, for the groups it is to read, into those of one or
            more cells, as ``layer=all`` into a cell for each layer.
        chooses: The card of the heads among which it chooses one on the part that
            selects; ``expands`` then gives their options. None for a head of its own.
    """

    kind: ClassVar[str] = "downstream"
    common: ClassVar[Mapping[str, Option]] = MappingProxyType(
        {
            "groups": Option(
                help="groups of the upstream to read, joined by +; all unless given",
                parse=several,
                label=several_label,
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
        head: nn.Module = self.resolve(self.load)(groups, classes, options)
        return head


@runtime_checkable
class HasLayerWeights(Protocol):
    """A head with one weight for each layer of a group, which results then keep.

    Heads need not have any. One that weighs the layers of each utterance anew, such as
    attention, has none.
    """

    def layer_weights(self) -> Mapping[str, Tensor]:
        """Give the weights of each group, ``(layers,)`` and detached, as they are used.

        They are in the order of the card's ``layers``. Those that pass a softmax have
        passed it; free ones may have any sign.
        """
        ...
