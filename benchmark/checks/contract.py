"""Checks of a contract: each one has an outcome, and none hides the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from nserbench.error_origin import describe_error
from nserbench.errors import NserbenchError

Outcome: TypeAlias = tuple[bool | None, str]
"""Whether a check passed, None where it does not apply; and what it found."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ContractFinding:
    """The outcome of one check.

    Attributes:
        passed: Whether it passed; None where the check does not apply.
    """

    check: str
    passed: bool | None
    detail: str


def run_checks(
    checks: Mapping[str, Callable[[T], Outcome]], trial: T
) -> list[ContractFinding]:
    """Run checks in order; if the first one raises, the others are not run.

    An error of a plugin is a finding, with the file and line where it arose.

    Raises:
        NserbenchError: if a check raises one, such as for a missing package.
    """
    findings: list[ContractFinding] = []
    for name, check in checks.items():
        try:
            findings.append(ContractFinding(name, *check(trial)))
        except NserbenchError:
            raise
        except Exception as error:  # noqa: BLE001 - one check must not hide the others
            findings.append(ContractFinding(name, False, describe_error(error)))
            if len(findings) == 1:
                skipped = f"not checked: needs {name!r}"
                rest = list(checks)[1:]
                return findings + [ContractFinding(one, None, skipped) for one in rest]
    return findings


def all_passed(findings: list[ContractFinding]) -> bool:
    """Return whether no check failed."""
    return not any(finding.passed is False for finding in findings)
