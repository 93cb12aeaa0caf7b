"""What the doctor says: findings of three severities, and reports of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["green", "yellow", "red"]
SEVERITIES: tuple[Severity, ...] = ("green", "yellow", "red")
"""From good to bad: yellow is worth knowing, red makes numbers wrong or none."""


@dataclass(frozen=True, slots=True)
class CorpusFinding:
    """What one check saw.

    Attributes:
        check: Its name.
        severity: How bad it is.
        detail: What was seen, in a sentence.
        names: The utterances, files or counts that it is about.
    """

    check: str
    severity: Severity
    detail: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """All findings of one corpus or noise.

    Attributes:
        name: As it was asked for.
        findings: In the order of the checks.
    """

    name: str
    findings: Sequence[CorpusFinding]

    @property
    def severity(self) -> Severity:
        """The worst of its findings."""
        return max((one.severity for one in self.findings), key=SEVERITIES.index)


def about(
    check: str, names: Sequence[str], bad: Severity, trouble: str, fine: str
) -> CorpusFinding:
    """Make a finding that is bad if it has names, and green if it has none.

    Args:
        check: Its name.
        names: What is not as it should be.
        bad: The severity if there are any.
        trouble: What is said of them, before their number.
        fine: What is said if there are none.
    """
    if not names:
        return CorpusFinding(check, "green", fine)
    return CorpusFinding(check, bad, f"{trouble}: {len(names)}", tuple(names))
