"""Adam as torch has it, without torch's compiler."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import torch
from torch.optim import Optimizer

_STEP = unwrap(torch.optim.Adam.step)


class Adam(torch.optim.Adam):
    """The Adam of torch. Its steps have the same bits.

    torch wraps methods of its optimisers for its compiler, and imports the compiler in
    the first of them: 1.5 to 2 s of every process that trains (Intel Xeon). Nothing is
    compiled here, so the methods are those below the wrappers.
    """

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)

    @torch.no_grad()  # as the wrapper of torch does
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step."""
        return _STEP(self, closure)
