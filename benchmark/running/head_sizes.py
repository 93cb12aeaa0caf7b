"""What trained heads will take in the store, before they are trained."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from nserbench.benchmark.jobs.head import empty_head
from nserbench.benchmark.jobs.job import Fit, Job
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.disk_sizes import in_clusters
from nserbench.benchmark.store.feature_store import Store


class HeadSizes:
    """The sizes of heads, each of which is built once."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def missing(self, jobs: list[Job], store: Store) -> dict[Path, int]:
        """Return the bytes of each head that the store lacks, by its file."""
        heads = chain.from_iterable(job.heads for job in jobs)
        folds = list(chain.from_iterable(job.folds(store) for job in heads))
        fits = [Fit(job, split) for job in folds for split in job.splits]
        files = {fit.file(store): fit for fit in fits}
        return {
            file: self._size(fit) for file, fit in files.items() if not file.exists()
        }

    def _size(self, fit: Fit) -> int:
        name = digest(fit.job.head_identity)
        if name not in self._known:
            self._known[name] = _built_bytes(fit)
        return self._known[name]


def _built_bytes(fit: Fit) -> int:
    try:
        with own_state():
            state = empty_head(fit).state_dict()
    except Exception:  # noqa: BLE001 - its own cell builds it again, and reports this
        return 0
    return in_clusters(sum(value.nbytes for value in state.values()))
