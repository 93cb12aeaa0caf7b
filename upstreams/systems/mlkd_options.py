"""What the card of MLKD says, known without torch."""

from __future__ import annotations

from dataclasses import replace

from nserbench.cards import Options, several
from nserbench.errors import BadSpec
from nserbench.plain_data import whole_number
from nserbench.upstreams.groups import Groups
from nserbench.upstreams.huggingface.config import describe_encoder
from nserbench.upstreams.loading.configs import MOST_LAYERS


def layer_numbers(text: str) -> tuple[int, ...]:
    """Parse the numbers of layers, joined by ``+``.

    Raises:
        ValueError: if one is no number of a layer, or is there twice.
    """
    return tuple(whole_number(part, 0, MOST_LAYERS) for part in several(text))


def layers_label(layers: tuple[int, ...]) -> str:
    """Return the numbers of layers as `layer_numbers` reads them."""
    return "+".join(map(str, layers))


def describe_mlkd(options: Options) -> Groups:
    """Return the group ``encoder`` of the student, with layer 0.

    Raises:
        CheckpointMissing: if the configuration of the teacher is not found.
        BadSpec: if it is no wav2vec 2.0, or has not all layers that are asked for.
    """
    teacher = describe_encoder("wav2vec2")(options)["encoder"]
    last = teacher.layers.stop - 1
    for what, number in {
        "blocks": options["blocks"],
        "layers": max(options["layers"]),
    }.items():
        if number > last:
            raise BadSpec(
                f"mlkd: {what}= asks for layer {number}, and the wav2vec 2.0 "
                f"{options['checkpoint']} has layers 0 to {last}\n"
                f"  write another {what}=, or another checkpoint="
            )
    return {"encoder": replace(teacher, layers=range(1 + options["blocks"]))}
