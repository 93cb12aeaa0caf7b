"""Results of the doctor's checks: findings of three severities, and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["green", "yellow", "red"]
SEVERITIES: tuple[Severity, ...] = ("green", "yellow", "red")
"""From good to bad: yellow is worth knowing, red gives wrong results or none."""


@dataclass(frozen=True, slots=True)
class CorpusFinding:
    """Result of one check.

    Attributes:
        names: The utterances, files or counts that are affected.
    """

    check: str
    severity: Severity
    detail: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """All findings of one corpus or noise."""

    name: str
    findings: Sequence[CorpusFinding]

    @property
    def severity(self) -> Severity:
        """Severity of its worst finding."""
        return max(
            (finding.severity for finding in self.findings), key=SEVERITIES.index
        )


def about(
    check: str, names: Sequence[str], bad: Severity, trouble: str, fine: str
) -> CorpusFinding:
    """Make a finding that is green if there are no names, and bad if there are some.

    Args:
        names: The affected utterances, files or counts.
        bad: The severity if there are any.
        trouble: The detail if there are any; their number is added.
        fine: The detail if there are none.
    """
    if not names:
        return CorpusFinding(check, "green", fine)
    return CorpusFinding(check, bad, f"{trouble}: {len(names)}", tuple(names))
