"""All targets, in the order of the table in docs/reliability.md."""

from __future__ import annotations

from fuzz import audio, checkpoints, labels, results, store, typed

TARGETS = (
    *typed.TARGETS,
    *labels.TARGETS,
    *results.TARGETS,
    *store.TARGETS,
    *checkpoints.TARGETS,
    *audio.TARGETS,
)
