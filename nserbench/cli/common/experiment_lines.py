"""The cells and the missing parts of an experiment, in lines of 80 characters."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nserbench.benchmark.experiments.run import BlockProblem
    from nserbench.benchmark.study.cell import Cell

WIDTH = 80
_COPY = re.compile(r"--upstream [^\n]*?([\w-]+):checkpoint=FOLDER\}*")
"""How `nserbench run` takes a copy of a checkpoint; an experiment takes it apart."""


def cell_lines(cells: Iterable[Cell]) -> Iterator[str]:
    """Yield the cells that can exist, with each name once.

    Those of an upstream and a corpus begin with a line of their own. Below are a remark
    on the upstream, the heads, then the conditions that all of these heads have.
    """
    from nserbench.upstreams.side_by_side import remarks_of

    groups: dict[str, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    remarks: dict[str, str] = {}
    for cell in cells:
        if cell.refused is None:
            trained = f"{cell.upstream.label} on {cell.corpus.label}"
            title = f"{trained}, protocol {cell.protocol.label}"
            groups[title][cell.downstream.label].append(cell)
            remarks[title] = remarks_of(cell.upstream)
    for title, by_head in groups.items():
        yield from _wrapped(title, "")
        yield from _wrapped(remarks[title], "  ")
        heads_of: dict[tuple[str, str], list[str]] = defaultdict(list)
        for head, own in by_head.items():
            conditions = _listed(str(cell.condition) for cell in own)
            heads_of[conditions, _listed(str(cell.seed) for cell in own)].append(head)
        for (conditions, seeds), names in heads_of.items():
            yield from _wrapped(f"heads: {_listed(names)}", "  ")
            yield from _wrapped(f"conditions: {conditions}; seeds: {seeds}", "  ")


def problem_lines(problems: Sequence[BlockProblem]) -> Iterator[str]:
    """Yield each reason why blocks were not run, and below it what it concerns.

    Upstreams of the same blocks on the same corpora are named together.
    """
    by_reason: dict[tuple[bool, str], list[BlockProblem]] = defaultdict(list)
    for problem in problems:
        by_reason[problem.impossible, problem.reason].append(problem)
    for (impossible, reason), own in by_reason.items():
        told = _COPY.sub(r"--checkpoint \1=FOLDER", reason)
        yield f"{'not applicable' if impossible else 'missing'}: {told}"
        of_upstream: dict[str, list[BlockProblem]] = defaultdict(list)
        for problem in own:
            for upstream in problem.request.upstreams:
                of_upstream[upstream].append(problem)
        upstreams: dict[tuple[str, str], list[str]] = defaultdict(list)
        for upstream, parts in of_upstream.items():
            blocks = "; ".join(dict.fromkeys(part.block for part in parts))
            upstreams[blocks, _places(parts)].append(upstream)
        for (blocks, places), names in upstreams.items():
            yield from _wrapped(_listed(names), "  ")
            yield from _wrapped(f"on {places}", "    ")
            yield from _wrapped(f"blocks: {blocks}", "    ")


def _places(parts: Iterable[BlockProblem]) -> str:
    """Return corpora, each with all its noises: ``emodb in clean, park; meld``."""
    noises: dict[str, dict[str, None]] = defaultdict(dict)
    for part in parts:
        noises[_listed(part.request.corpora)] |= dict.fromkeys(part.request.noises)
    return "; ".join(
        f"{corpora} in {_listed(own)}" if own else corpora
        for corpora, own in noises.items()
    )


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
