"""The built-in heads."""

from __future__ import annotations

from typing import Final

from nserbench.cards import Option, at_least, fraction, one_of
from nserbench.downstreams.base import DownstreamCard, Recipe
from nserbench.downstreams.layer_choice import (
    EVERY,
    candidates,
    chosen_layer,
    each_layer,
    fused_layers,
    last_layer,
    needs,
    needs_the_layer,
)
from nserbench.hook_markers import hookimpl

LICENCE: Final = "Apache-2.0"

DROPOUT = Option(
    help="probability of dropping a value in training", default=0.5, parse=fraction
)
STATE0 = Option(
    help="yes: also read layer 0, the input of the first block",
    default=False,
)


def layer_number(text: str) -> int | str:
    """Parse a layer's number, or ``all``."""
    return text if text == EVERY else at_least(0)(text)


LAYER = Option(
    help="number of the layer to read, or all for one cell for each layer; required",
    parse=layer_number,
)
WEIGHTS = Option(
    help="free, as in Eq. 7, or softmax: through a softmax over each group",
    default="free",
    parse=one_of("free", "softmax"),
)

LAST = DownstreamCard(
    name="last",
    summary="last layer: mean over time, FC",
    source="Table II (SSL) and Sec. IV-C",
    licence=LICENCE,
    load="nserbench.downstreams.fusion:last",
    options={"dropout": DROPOUT},
    layers=last_layer,
)
SINGLE = DownstreamCard(
    name="single",
    summary="one layer: mean over time, FC",
    source="Sec. IV-B, Experiments 2 and 3",
    licence=LICENCE,
    load="nserbench.downstreams.fusion:single",
    key="single",
    options={"layer": LAYER, "dropout": DROPOUT},
    refuses=needs_the_layer,
    layers=chosen_layer,
    expands=each_layer,
)
BEST = DownstreamCard(
    name="best",
    summary="the layer that is best on the development set: mean over time, FC",
    source="Sec. IV-B, Experiment 2: the best-performing layer",
    licence=LICENCE,
    load="nserbench.downstreams.fusion:single",
    key="single",
    options={"dropout": DROPOUT},
    expands=candidates,
    chooses=SINGLE,
)
MEAN = DownstreamCard(
    name="mean",
    summary="mean over time and over layers, FC",
    source="Sec. IV-B, Experiment 2: simple fusion",
    licence=LICENCE,
    load="nserbench.downstreams.fusion:mean",
    options={"dropout": DROPOUT, "state0": STATE0},
    refuses=needs(1),
    layers=fused_layers,
)
WEIGHTED_SUM = DownstreamCard(
    name="weighted-sum",
    summary="mean over time, softmax-weighted sum over layers, FC",
    source="S3PRL's Featurizer (Yang et al., SUPERB, Interspeech 2021)",
    licence=LICENCE,
    load="nserbench.downstreams.fusion:weighted_sum",
    options={"dropout": DROPOUT, "state0": STATE0},
    refuses=needs(2),
    layers=fused_layers,
)
SCALAR_MIX = DownstreamCard(
    name="scalar-mix",
    summary="mean over time, ELMo's scalar mix of layer-normed layers, FC",
    source="Peters et al., NAACL 2018, Eq. 1",
    licence=LICENCE,
    load="nserbench.downstreams.fusion:scalar_mix",
    options={"dropout": DROPOUT, "state0": STATE0},
    refuses=needs(2),
    layers=fused_layers,
)
ATTENTION = DownstreamCard(
    name="attention",
    summary="mean over time, attention of a learned query over layers, FC",
    source="Sec. IV-B, Experiment 2: attention-based pooling",
    licence=LICENCE,
    load="nserbench.downstreams.fusion:attention",
    options={"dropout": DROPOUT, "state0": STATE0},
    refuses=needs(2),
    layers=fused_layers,
)
FC = DownstreamCard(
    name="fc",
    summary="last layer: mean over time, z-scored, hidden layer of 512, FC",
    source="Table II (HSF) and Sec. IV-C",
    licence=LICENCE,
    load="nserbench.downstreams.dense:fc",
    options={"dropout": DROPOUT},
    recipe=Recipe(standardise=True),
    layers=last_layer,
)
BIGRU = DownstreamCard(
    name="bigru",
    summary="last layer: BiGRU of 256 per direction, mean over time, FC",
    source="Table II (Mel / Denoising) and Sec. IV-C",
    licence=LICENCE,
    load="nserbench.downstreams.bigru:bigru",
    options={"dropout": DROPOUT},
    tier="frames",
    layers=last_layer,
)
LADAPTER = DownstreamCard(
    name="ladapter",
    summary="a BiGRU and maximum over time for each layer, weighted sum, FC",
    source="Sec. III-C, Eqs. 5 to 8",
    licence=LICENCE,
    load="nserbench.downstreams.ladapter:ladapter",
    options={"dropout": DROPOUT, "state0": STATE0, "weights": WEIGHTS},
    tier="frames",
    refuses=needs(2),
    layers=fused_layers,
)


@hookimpl
def nserbench_downstreams() -> list[DownstreamCard]:
    """Return the cards of the built-in heads."""
    return [
        LAST,
        SINGLE,
        BEST,
        MEAN,
        WEIGHTED_SUM,
        SCALAR_MIX,
        ATTENTION,
        FC,
        BIGRU,
        LADAPTER,
    ]
