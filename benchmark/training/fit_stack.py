"""Training many pooled heads of one shape as one stacked problem.

A step of one such head is a product of a few thousand numbers, less than what torch
spends on the call. A stack does the step of all heads in one call: on two cores 13
layers in 5 folds train more than ten times as fast as one after another. Each run keeps
its own order of batches, its own dropout and its own number of steps, and ends with the
weights that it would have alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from nserbench.benchmark.training.cuda_graph import RecordedStep, recorder
from nserbench.benchmark.training.fit_one import Standardised
from nserbench.benchmark.training.loss import (
    BestCheckpoint,
    EpochLog,
    class_weights,
    cross_entropy,
    lr_factor,
    uar_of,
)
from nserbench.benchmark.training.sources import Buffers
from nserbench.benchmark.training.streams import (
    BatchStream,
    HeadTraining,
    received_scales,
)
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.fusion import PooledHead
from nserbench.downstreams.kernels.mask_dropout import Dropout, draw, to_masks

STEPS = 64
"""Steps whose batches and masks are drawn at once."""

STACKED = 2**27
"""Bytes of features that one step of a stack may read."""


def can_stack(head: nn.Module) -> bool:
    """Tell whether a head can be trained beside others.

    It has to fuse means over time, and draw its chance from a `Dropout` alone.
    """
    inner = head.head if isinstance(head, Standardised) else head
    drawn = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    return isinstance(inner, PooledHead) and not any(
        isinstance(one, drawn) for one in inner.modules()
    )


def fit_together(
    runs: Sequence[HeadTraining],
    states: Mapping[str, Tensor],
    labels: Tensor,
    classes: int,
    recipe: Recipe,
    device: str,
) -> list[EpochLog]:
    """Train heads of one shape: Adam on the cross-entropy (Eq. 9), last epoch.

    Args:
        runs: Heads whose parameters have the same names and shapes, reading as many
            layers of each group.
        states: ``(layers, all rows, dim)`` of each group.
        labels: ``(all rows,)`` class numbers.
        classes: How many there are.
        recipe: How; each run has its own number of epochs.
        device: Where to train.

    Returns:
        What was seen of each run, in the order given. A run that diverges has losses
        that are not finite.
    """
    flat = {name: one.to(device).flatten(0, 1) for name, one in states.items()}
    counts = {name: one.shape[1] for name, one in states.items()}
    found: dict[int, EpochLog] = {}
    order = sorted(range(len(runs)), key=lambda at: -runs[at].steps(recipe.batch_size))
    for part in _parts(order, runs, flat, recipe.batch_size):
        chosen = [runs[at] for at in part]
        weights = torch.stack(
            [class_weights(labels[run.rows], classes, recipe) for run in chosen]
        )
        stack = _Stack(chosen, flat, counts, labels, weights, recipe, device)
        found |= zip(part, stack.train(), strict=True)
    for at, epochs in found.items():
        epochs.scales = received_scales(runs[at], states)
    return [found[at] for at in range(len(runs))]


def _parts(
    order: Sequence[int],
    runs: Sequence[HeadTraining],
    flat: Mapping[str, Tensor],
    size: int,
) -> list[Sequence[int]]:
    """Cut the runs so that a step of each part reads no more than `STACKED` bytes."""
    step = sum(
        len(layers) * size * flat[name].shape[-1] * flat[name].element_size()
        for name, layers in runs[0].layers.items()
    )
    most = max(1, STACKED // step)
    return [order[start : start + most] for start in range(0, len(order), most)]


class _FunctionalHead(nn.Module):
    """A head whose forward pass is on means over time, as torch.func wants it."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, pooled: Mapping[str, Tensor]) -> Tensor:
        logits: Tensor = self.head.fuse(pooled)  # type: ignore[operator]
        return logits


class _Stack:
    """Runs in the order of their steps, the longest first, as one problem.

    Args:
        runs: The runs.
        flat: ``(layers * rows, dim)`` of each group.
        counts: Rows of each group.
        labels: ``(all rows,)`` class numbers.
        counted: ``(runs, classes)`` what each class counts.
        recipe: How to train.
        device: Where to train.
    """

    def __init__(
        self,
        runs: Sequence[HeadTraining],
        flat: Mapping[str, Tensor],
        counts: Mapping[str, int],
        labels: Tensor,
        counted: Tensor,
        recipe: Recipe,
        device: str,
    ) -> None:
        self.runs, self.recipe, self.device = runs, recipe, device
        self.labels = labels.to(device)
        self.counted = counted[:, None].to(device)
        self.ends = [run.steps(recipe.batch_size) for run in runs]
        self.best = [BestCheckpoint() for _ in runs]
        self.slopes: list[list[Tensor]] = [[] for _ in runs]
        self.lengths = {self._epoch(place) for place in range(len(runs))}
        self.done = 0
        self.flat = {name: flat[name] for name in runs[0].layers}
        self.offsets = {
            name: torch.tensor(
                [[place * counts[name] for place in run.layers[name]] for run in runs],
                device=device,
            )[:, :, None]
            for name in self.flat
        }
        heads = [_FunctionalHead(run.head.to(device)).train() for run in runs]
        self.like = heads[0]
        weights, buffers = stack_module_state(heads)
        self.constants = dict(buffers)
        self.buffers = Buffers(device)
        self._optimise(weights)
        self.drops = {
            f"{name}.mask": (one.p, one.width) for name, one in self._dropouts()
        }
        self._overwrite()

    def _dropouts(self) -> list[tuple[str, Dropout]]:
        return [
            (name, one)
            for name, one in self.like.named_modules()
            if isinstance(one, Dropout)
        ]

    def _overwrite(self) -> None:
        """Let dropouts overwrite their masks where they drop from features alone."""
        hooks = [one.register_forward_pre_hook(_note) for _, one in self._dropouts()]
        layers = self.runs[0].layers
        self.like.eval()(
            {
                name: one.new_zeros(len(layers[name]), 1, one.shape[-1])
                for name, one in self.flat.items()
            }
        )
        self.like.train()
        for hook in hooks:
            hook.remove()

    def train(self) -> list[EpochLog]:
        """Take every step, and put the weights back into the heads."""
        streams = [BatchStream(run, self.recipe.batch_size) for run in self.runs]
        seen: list[list[Tensor]] = [[] for _ in self.runs]
        scores: list[list[float]] = [[] for _ in self.runs]
        active = len(self.runs)
        while active:
            steps = min(STEPS, self.ends[active - 1] - self.done, *self._to_dev(active))
            for place, told in enumerate(self._steps(streams[:active], steps)):
                seen[place].append(told)
            for place, left in enumerate(self._to_dev(active)):
                if left == self._epoch(place):
                    scores[place].append(self._select(place))
            left = sum(end > self.done for end in self.ends)
            if left < active:
                self._leave(left, active)
                active = left
        each = zip(seen, self.runs, scores, self.slopes, strict=True)
        return [
            _epochs(torch.cat(told), run, dev, slopes)
            for told, run, dev, slopes in each
        ]

    def _epoch(self, place: int) -> int:
        """Give the steps of an epoch of a run."""
        return self.ends[place] // self.runs[place].epochs

    def _to_dev(self, active: int) -> list[int]:
        """Give the steps until each run ends its epoch, if runs select."""
        if self.runs[0].dev is None:  # and then none has one
            return []
        epochs = [self._epoch(place) for place in range(active)]
        return [steps - self.done % steps for steps in epochs]

    def _select(self, place: int) -> float:
        """Try a run on the part that selects, and keep its weights if they are best."""
        run = self.runs[place]
        assert run.dev is not None  # noqa: S101 - only those that select get here
        self._hand_over(place)
        dev = run.dev.to(self.device)
        pooled = {name: one[0] for name, one in self._pooled(dev[None], place).items()}
        run.head.eval()
        with torch.no_grad():
            logits = run.head.fuse(pooled)  # type: ignore[operator]
        run.head.train()
        score = uar_of(logits, self.labels[dev])
        self.best[place].update(score, run.head.state_dict())
        return score

    def _steps(self, streams: Sequence[BatchStream], steps: int) -> Iterable[Tensor]:
        """Take some steps; give loss and right answers, ``(steps, 2)`` for each run."""
        drawn = [stream.draw(steps) for stream in streams]
        rows, weights = (torch.stack(each, 1) for each in zip(*drawn, strict=True))
        size = self.recipe.batch_size
        bits = {
            name: torch.stack(
                [draw(p, steps, (size, width), one.masks) for one in streams], 1
            )
            for name, (p, width) in self.drops.items()
        }
        rows, weights = rows.to(self.device), weights.to(self.device)
        paces = self._paces(len(streams), steps)
        told = []
        for at in range(steps):
            masks = [
                self._mask(name, bits[name][at].to(self.device)) for name in self.drops
            ]
            told.append(self.replay(rows[at], weights[at], paces[at], *masks))
            self._note_slopes(len(streams))
            self.done += 1
        means, answers = (torch.stack(each) for each in zip(*told, strict=True))
        right = ((answers.argmax(-1) == self.labels[rows]) * weights).sum(-1)
        return torch.stack([means * weights.sum(-1), right], 1).cpu().unbind(-1)

    def _mask(self, name: str, bits: Tensor) -> Tensor:
        """Give the masks of a dropout for one step, ``(active, batch, width)``."""
        p, width = self.drops[name]
        shape = self.recipe.batch_size, width
        return to_masks(bits, p, shape, self.buffers.take(name, (len(bits), *shape)))

    def _paces(self, active: int, steps: int) -> Tensor:
        """Give the learning rate of each run, of the first, ``(steps, active)``."""
        shares = [
            [
                lr_factor(self.recipe, self.done + step, end)
                for end in self.ends[:active]
            ]
            for step in range(steps)
        ]
        return torch.tensor(shares, device=self.device)

    def _step(
        self, rows: Tensor, weights: Tensor, paces: Tensor, *masks: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take one step; give the loss of each run, and its logits."""
        drawn = dict(zip(self.drops, masks, strict=True))
        state = {**self.weights, **self.constants, **drawn}
        logits = vmap(self._logits)(state, self._pooled(rows))
        terms, own = cross_entropy(
            logits,
            self.labels[rows],
            self.counted[: len(rows)],
            self.recipe.label_smoothing,
        )
        means = (terms * weights).sum(1) / (own * weights).sum(1)
        self.optimiser.zero_grad(set_to_none=True)
        # No weight is shared, so each run's gradient is that of its own mean.
        means.sum().backward()
        self._move(paces)
        return means.detach(), logits.detach()

    def _note_slopes(self, active: int) -> None:
        """Note the norm of the gradient of each run whose epoch ends with this step."""
        step = self.done + 1
        if any(step % length == 0 for length in self.lengths):
            squares = [
                one.grad.reshape(active, -1).square().sum(1)
                for one in self.weights.values()
                if one.grad is not None
            ]
            norms = torch.stack(squares).sum(0).sqrt()
            for place in range(active):
                if step % self._epoch(place) == 0:
                    self.slopes[place].append(norms[place])

    def _move(self, paces: Tensor) -> None:
        """Let Adam take a step, each run at its own pace, ``(active,)``."""
        if self.recipe.schedule == "constant":
            self.optimiser.step()
            return
        before = [one.detach().clone() for one in self.weights.values()]
        self.optimiser.step()
        with torch.no_grad():
            for one, start in zip(self.weights.values(), before, strict=True):
                part = paces.view(-1, *[1] * (one.ndim - 1))
                one.copy_(start + part * (one - start))

    def _logits(self, state: dict[str, Tensor], pooled: dict[str, Tensor]) -> Tensor:
        logits: Tensor = functional_call(self.like, state, (pooled,))
        return logits

    def _pooled(self, rows: Tensor, first: int = 0) -> dict[str, Tensor]:
        """Gather features, a batch for each run, until the next are gathered.

        Args:
            rows: ``(runs, batch)``.
            first: The first of these runs.
        """
        runs, batch = rows.shape
        found = {}
        for name, one in self.flat.items():
            at = self.offsets[name][first : first + runs] + rows[:, None]
            states = self.buffers.take(name, (at.numel(), one.shape[-1]))
            torch.index_select(one, 0, at.flatten(), out=states)
            found[name] = states.view(runs, -1, batch, one.shape[-1])
        return found

    def _optimise(self, weights: Mapping[str, Tensor]) -> None:
        """Make the weights those to train."""
        self.weights = {
            name: one.detach().clone().requires_grad_() for name, one in weights.items()
        }
        self.optimiser = torch.optim.Adam(
            self.weights.values(),
            lr=self.recipe.learning_rate,
            fused=True,
            capturable=self.device.startswith("cuda"),
        )
        self.replay = RecordedStep(self._step, recorder(self.device))

    def _leave(self, left: int, active: int) -> None:
        """Put the weights of finished runs into their heads, and go on without them."""
        for place in range(left, active):
            self._hand_over(place)
            self.best[place].restore(self.runs[place].head)
        before = {name: self.optimiser.state[one] for name, one in self.weights.items()}
        self._optimise({name: one[:left] for name, one in self.weights.items()})
        self.constants = {name: one[:left] for name, one in self.constants.items()}
        for name, one in self.weights.items():
            self.optimiser.state[one] = {
                key: value[:left].clone() if value.ndim else value
                for key, value in before[name].items()
            }

    def _hand_over(self, place: int) -> None:
        """Put the weights of a run, as they stand, into its head."""
        own = dict(_FunctionalHead(self.runs[place].head).named_parameters())
        with torch.no_grad():
            for name, one in self.weights.items():
                own[name].copy_(one[place])


def _note(dropout: nn.Module, given: tuple[Tensor]) -> None:
    """Note of a dropout whether a gradient passes to what it is given."""
    dropout.overwrites = not given[0].requires_grad  # type: ignore[assignment]


def _epochs(
    told: Tensor, run: HeadTraining, dev: list[float], slopes: Sequence[Tensor]
) -> EpochLog:
    """Turn sums by step, ``(steps, 2)``, into means by epoch."""
    sums = told.view(run.epochs, -1, 2).sum(1) / len(run.rows)
    losses, accuracies = sums.T.tolist()
    return EpochLog(losses, accuracies, dev, torch.stack([*slopes]).tolist())
