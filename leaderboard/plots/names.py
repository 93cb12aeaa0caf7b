"""How lines and panels are called: by what tells them apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def told_apart(
    named: Sequence[Sequence[str]], always: Collection[int] = (0,)
) -> list[str]:
    """Name things by the parts of their names in which they differ.

    Args:
        named: The parts of each name, as many for each.
        always: Places of the parts that are said even if they do not differ.

    Examples:
        >>> told_apart([("mel", "mean", "demo"), ("mel", "last", "demo")], always=())
        ['mean', 'last']
    """
    differ = [len(set(parts)) > 1 for parts in zip(*named, strict=True)]
    said = [place for place, one in enumerate(differ) if one or place in always]
    return [", ".join(name[place] for place in said if name[place]) for name in named]
