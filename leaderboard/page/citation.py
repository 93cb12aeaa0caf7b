"""How to cite nserbench and its study: CITATION.cff, and the same in BibTeX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import nserbench
from nserbench.leaderboard.render.csv_json import Record
from nserbench.leaderboard.render.latex import escaped

FILE = Path(nserbench.__file__).with_name("CITATION.cff")
_COPIED = ("version", "journal", "doi", "url", "license")


def citation() -> Record:
    """Return the message of CITATION.cff, and the BibTeX of all that it names."""
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    works = [content, *content.get("references", [])]
    return {"message": content["message"], "bibtex": "\n".join(map(bibtex, works))}


def bibtex(work: Mapping[str, Any]) -> str:
    """Return a work of the citation file format as an entry of BibTeX.

    Examples:
        >>> print(bibtex({"type": "article", "title": "Speech", "year": 2025, "authors":
        ...     [{"family-names": "Li", "given-names": "An"}]}), end="")
        @article{li2025speech,
          title = {{Speech}},
          author = {Li, An},
          year = {2025},
        }
    """
    kind = {"software": "software", "article": "article"}.get(work["type"], "misc")
    lines = [f"  {key} = {{{value}}}," for key, value in _fields(work)]
    return "\n".join([f"@{kind}{{{_key(work)},", *lines, "}"]) + "\n"


def _fields(work: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "title", f"{{{escaped(work['title'])}}}"
    yield "author", " and ".join(map(_name, work["authors"]))
    if year := _year(work):
        yield "year", year
    for key in _COPIED:
        if key in work:
            yield key, escaped(str(work[key]))


def _year(work: Mapping[str, Any]) -> str:
    """Return the year of a work, or of its release; empty if neither is said."""
    return str(work.get("year", str(work.get("date-released", ""))[:4]))


def _name(author: Mapping[str, str]) -> str:
    if "name" in author:
        return f"{{{escaped(author['name'])}}}"
    return escaped(f"{author['family-names']}, {author['given-names']}")


def _key(work: Mapping[str, Any]) -> str:
    """Return the first author, the year, and the first long word of the title.

    Without the name of a person, the word comes before the year.
    """
    authors: Sequence[Mapping[str, str]] = work["authors"]
    word = next(word for word in work["title"].split() if len(word) > 3)
    family = authors[0].get("family-names")
    parts = (family, _year(work), word) if family else (word, _year(work))
    return "".join(char for part in parts for char in part if char.isalnum()).lower()
