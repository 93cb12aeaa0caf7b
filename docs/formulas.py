"""Formulas of the pages, from LaTeX to MathML, which browsers show without a script.

A Markdown extension: ``$...$`` in a line, or ``$$`` before and after a paragraph.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from math_core import LatexToMathML

# A dollar beside a space or before a digit is one of a prompt or a price.
INLINE = r"(?<![\\$])\$(?![\s$])([^$]+?)(?<!\s)\$(?![\d$])"
BEFORE_ESCAPES = 185  # after code spans (190), before backslashes (180)
BEFORE_PARAGRAPHS = 75  # before lists, quotes and paragraphs; after headings


class Formula(InlineProcessor):
    """A formula in a line of text."""

    def handleMatch(  # type: ignore[override] # noqa: N802 # of markdown
        self, m: re.Match[str], data: str
    ) -> tuple[str, int, int]:
        """Return the formula and its bounds in the text."""
        formula = LATEX.convert_with_local_state(m[1], displaystyle=False)
        return self.md.htmlStash.store(formula), m.start(0), m.end(0)


class DisplayedFormula(BlockProcessor):
    """A formula on lines of its own."""

    def test(self, parent: Element, block: str) -> bool:
        """Return whether a paragraph is a formula."""
        text = block.strip()
        return len(text) > len("$$$$") and text.startswith("$$") and text.endswith("$$")

    def run(self, parent: Element, blocks: list[str]) -> None:
        """Put the formula into a box that scrolls if it is wider than the page."""
        formula = blocks.pop(0).strip().removeprefix("$$").removesuffix("$$")
        box = Element("div", {"class": "formula"})
        box.text = self.parser.md.htmlStash.store(
            LATEX.convert_with_local_state(formula, displaystyle=True)
        )
        parent.append(box)


LATEX = LatexToMathML()


class Formulas(Extension):
    """The extension."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 # of markdown
        """Add both kinds of formulas."""
        md.inlinePatterns.register(Formula(INLINE, md), "formula", BEFORE_ESCAPES)
        md.parser.blockprocessors.register(
            DisplayedFormula(md.parser), "displayed-formula", BEFORE_PARAGRAPHS
        )


def makeExtension(**options: object) -> Formulas:  # noqa: N802 # of markdown
    """Return the extension; Markdown looks for a function of this name."""
    return Formulas(**options)
