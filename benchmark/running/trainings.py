"""What a run has to train: heads together, or one by one, as `jobs/fit.py` does it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from torch import nn

from nserbench.benchmark.extraction.tuned_weights import tuned_bytes
from nserbench.benchmark.jobs.fit import missing_fits, stack_shape
from nserbench.benchmark.jobs.head import empty_head
from nserbench.benchmark.jobs.job import FineTuning, Fit, Job
from nserbench.benchmark.running.job_batches import job_batches
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.training.fit_stack import can_stack


@dataclass(frozen=True, slots=True)
class Training:
    """Heads of one shape that are trained together, or one head in one fold.

    Attributes:
        fits: The heads with their folds.
        head: A head of their shape, not trained.
        together: Whether they are a stack of pooled heads.
    """

    fits: Sequence[Fit]
    head: nn.Module
    together: bool

    @property
    def job(self) -> Job:
        """The job of the first head."""
        return self.fits[0].job

    @property
    def size(self) -> int:
        """Bytes that the heads take in the store."""
        return len(self.fits) * _head_bytes(self.head)


@dataclass(slots=True)
class MissingTrainings:
    """Finds what the store lacks, each head and each fine-tuned upstream once.

    Attributes:
        counted: Files that were found before.
    """

    store: Store
    counted: set[Path] = field(default_factory=set)

    def of(self, jobs: Sequence[Job]) -> list[Training]:
        """Return what is trained for jobs, in the order in which a run takes them."""
        return [
            training
            for batch in job_batches(jobs)
            for training in self._of_condition(batch)
        ]

    def fine_tunings(self, jobs: Sequence[Job]) -> list[tuple[FineTuning, Split]]:
        """Return the folds of upstreams that are fine-tuned for jobs."""
        found = []
        for job in chain.from_iterable(job.alternatives for job in jobs):
            if (tuning := job.tuning) is None:
                continue
            for split in job.splits:
                if self._is_new(tuning.file(split, self.store)):
                    *before, last = tuning.stages
                    new = [s for s in before if self._is_new(s.file(split, self.store))]
                    found += [(stage, split) for stage in (*new, last)]
        return found

    def _of_condition(self, jobs: Sequence[Job]) -> Iterator[Training]:
        stacks: dict[tuple[object, ...], list[Fit]] = defaultdict(list)
        heads: dict[tuple[object, ...], nn.Module] = {}
        with_upstream = self._trained_with_upstream(jobs)
        for fits in missing_fits(jobs, self.store):
            new = [
                fit
                for fit in fits
                if (file := fit.file(self.store)) not in with_upstream
                and self._is_new(file)
            ]
            if not new:
                continue
            head = empty_head(new[0])
            if can_stack(head):
                shape = stack_shape(new[0], head)
                stacks[shape] += new
                heads[shape] = head
            else:
                yield from (Training([fit], head, together=False) for fit in new)
        for shape, stack in stacks.items():
            yield Training(stack, heads[shape], together=True)

    def _trained_with_upstream(self, jobs: Sequence[Job]) -> set[Path]:
        """Return the files of heads that are trained while their upstream is."""
        return {
            tuning.head(split, self.store).file(self.store)
            for job in chain.from_iterable(job.alternatives for job in jobs)
            if (tuning := job.tuning) is not None
            for split in job.splits
        }

    def _is_new(self, file: Path) -> bool:
        if file in self.counted or file.exists():
            return False
        self.counted.add(file)
        return True


def fine_tuned_size(tuning: FineTuning, upstream: nn.Module, store: Store) -> int:
    """Return the bytes of a fold's fine-tuned upstream and of the head beside it."""
    head = empty_head(tuning.head(tuning.joint.splits[0], store))
    return _head_bytes(head) + tuned_bytes(upstream, tuning.frozen, tuning.lora)


def _head_bytes(head: nn.Module) -> int:
    state = head.state_dict().values()
    return sum(tensor.numel() * tensor.element_size() for tensor in state)
