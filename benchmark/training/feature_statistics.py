"""Mean and standard deviation of features, in one pass."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nserbench.upstreams.base import LayerGroup

_CONSTANT = 1e-5
"""Deviation relative to the mean up to which a feature is constant but for rounding."""

Statistics = Mapping[str, tuple[Tensor, Tensor]]
"""Mean and standard deviation of each group, both ``(layers, dim)``."""


class Moments:
    """Sums of features and of their squares by group, in float64."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, Tensor, Tensor]] = {}

    def add(self, name: str, states: Tensor) -> None:
        """Add some frames of a group, or some means over time.

        Args:
            states: ``(layers, frames, dim)``, valid frames only.
        """
        wide = states.detach().double()
        count, total, squares = wide.shape[1], wide.sum(1), wide.square().sum(1)
        if name in self._sums:
            before = self._sums[name]
            count, total, squares = (
                before[0] + count,
                before[1] + total,
                before[2] + squares,
            )
        self._sums[name] = count, total, squares

    def add_valid(self, name: str, group: LayerGroup) -> None:
        """Add the valid frames of some utterances of a group."""
        frame = torch.arange(group.states.shape[2], device=group.states.device)
        self.add(name, group.states[:, frame < group.lengths[:, None]])

    def statistics(self) -> Statistics:
        """Return mean and standard deviation, both in float32.

        A constant feature gets the deviation 1, so that it becomes 0: what is left of
        its deviation is rounding error, which a division would enlarge.
        """
        return {name: self._of(name) for name in self._sums}

    def scales(self) -> dict[str, float]:
        """Return the standard deviation of each group: the median over its features.

        Constant features do not count; 0 if all are constant.
        """
        scales = {}
        for name in self._sums:
            mean, deviation = self._exact(name)
            changing = deviation[deviation > _CONSTANT * mean.abs()]
            scales[name] = float(changing.quantile(0.5)) if len(changing) else 0.0
        return scales

    def _of(self, name: str) -> tuple[Tensor, Tensor]:
        mean, deviation = self._exact(name)
        constant = deviation <= _CONSTANT * mean.abs()
        return mean.float(), deviation.masked_fill(constant, 1.0).float()

    def _exact(self, name: str) -> tuple[Tensor, Tensor]:
        count, total, squares = self._sums[name]
        mean = total / count
        return mean, (squares / count - mean.square()).clamp(min=0).sqrt()
