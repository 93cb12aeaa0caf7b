"""CNN6 of PANNs over a spectrogram with its differences, and attention over time."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from nserbench.upstreams.systems.deltas import with_deltas

CHANNELS = 3
BLOCKS = 4
DROPOUT = 0.2


class Embedder(nn.Module):
    """Turns a spectrogram into one vector, as the backbone of TRNet does.

    Four blocks of a 5 x 5 convolution, batch norm and maximum over 2 x 2; the mean over
    bands; for each feature, attention over time.

    Args:
        bands: Width of the spectrogram.
        width: Channels of the first block; each further block has twice as many.
        dim: Width of the vector.
    """

    def __init__(self, bands: int, width: int, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(bands)
        widths = [CHANNELS, *(width * 2**block for block in range(BLOCKS))]
        self.blocks = nn.ModuleList(map(_block, widths[:-1], widths[1:]))
        self.attention = nn.Conv1d(widths[-1], dim, 1)
        self.values = nn.Conv1d(widths[-1], dim, 1)
        for layer in (self.attention, self.values):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Turn ``(batch, frames, bands)`` into ``(batch, dim)``."""
        states = with_deltas(spectrogram)
        states = self.norm(states.transpose(1, 3)).transpose(1, 3)
        for block in self.blocks:
            states = F.dropout(block(states), DROPOUT, self.training)
        states = states.mean(dim=3)
        weights = self.attention(states).clamp(-10, 10).softmax(dim=2)
        vector: Tensor = (weights * self.values(states)).sum(dim=2)
        return vector


def _block(width_in: int, width_out: int) -> nn.Sequential:
    convolution = nn.Conv2d(width_in, width_out, 5, padding=2, bias=False)
    nn.init.xavier_uniform_(convolution.weight)
    return nn.Sequential(
        convolution, nn.BatchNorm2d(width_out), nn.ReLU(), nn.MaxPool2d(2)
    )
