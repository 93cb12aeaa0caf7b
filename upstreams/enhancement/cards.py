"""The built-in enhancers."""

from __future__ import annotations

from dataclasses import replace

from nserbench.hook_markers import hookimpl
from nserbench.upstreams.enhancement.base import EnhancerCard
from nserbench.upstreams.loading.hub import checkpoint_options
from nserbench.upstreams.training_data import of_checkpoint

_KIND = "hub id, local folder, or file that Asteroid saved"

CONVTASNET = EnhancerCard(
    name="convtasnet",
    summary="Conv-TasNet: a mask on learned filters, trained on Libri1Mix",
    source="Luo and Mesgarani, arXiv:1809.07454; Table I, weights of Asteroid",
    licence="CC-BY-SA-4.0, trained with noise that is CC-BY-NC-4.0",
    load="nserbench.upstreams.enhancement.asteroid:ConvTasNet",
    files="nserbench.upstreams.enhancement.asteroid:enhancer_files",
    trained_on=of_checkpoint,
    extra="asteroid",
    options=checkpoint_options("JorisCos/ConvTasNet_Libri1Mix_enhsingle_16k", _KIND),
)

DCCRN = replace(
    CONVTASNET,
    name="dccrn",
    summary="DCCRN: a complex mask on the spectrum, trained on Libri1Mix",
    source="Hu et al., arXiv:2008.00264; Table I, weights of Asteroid",
    load="nserbench.upstreams.enhancement.asteroid:DCCRN",
    options=checkpoint_options("JorisCos/DCCRNet_Libri1Mix_enhsingle_16k", _KIND),
)


@hookimpl
def nserbench_enhancers() -> list[EnhancerCard]:
    """Return the cards of the built-in enhancers."""
    return [CONVTASNET, DCCRN]
