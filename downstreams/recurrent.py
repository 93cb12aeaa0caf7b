"""A bidirectional GRU over a padded batch, as if each utterance were alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nserbench.downstreams.pooling import without_padding


class BiGRU(nn.Module):
    """One layer of GRU in both directions.

    The backward direction starts at the last valid frame of each utterance, as in
    ``nn.GRU(bidirectional=True)`` over a packed sequence, with the same weights after
    the same seed. Packing would cost about twice the time on a CPU.

    Args:
        dim: Width of the input.
        units: Width of each direction's output.
    """

    def __init__(self, dim: int, units: int) -> None:
        super().__init__()
        self.forwards = nn.GRU(dim, units, batch_first=True)
        self.backwards = nn.GRU(dim, units, batch_first=True)

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Run over both directions.

        Args:
            states: ``(batch, frames, dim)``. What padding holds does not matter.
            lengths: ``(batch,)`` frames.

        Returns:
            ``(batch, frames, 2 * units)``, forwards first, 0 where there is padding.
        """
        # Padding lies behind every valid frame in both directions, so it cannot change
        # one; a NaN in it would still reach the weights' gradients.
        states = without_padding(states, lengths)
        turn = _reversal(lengths, states.shape[1])
        there: Tensor = self.forwards(states)[0]
        back: Tensor = self.backwards(states[turn])[0]
        return without_padding(torch.cat([there, back[turn]], dim=-1), lengths)


def _reversal(lengths: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Give the index that turns the valid frames of ``(batch, frames, ...)`` around.

    Applied twice, it gives them back. Padding becomes copies of the first frame.
    """
    time = torch.arange(frames, device=lengths.device)
    frame = (lengths[:, None] - 1 - time).clamp(min=0)
    return torch.arange(len(lengths), device=lengths.device)[:, None], frame
