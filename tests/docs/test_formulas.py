"""Formulas of a page become MathML, and other dollars stay."""

import markdown
import pytest
from math_core import LatexError


def html(text: str) -> str:
    """Return a page as HTML."""
    return markdown.markdown(text, extensions=["formulas", "tables"])


def test_a_formula_in_a_line_is_part_of_the_paragraph() -> None:
    page = html(r"The score $\frac{a}{b}$ is low.")

    assert page.startswith("<p>The score <math><mfrac>")
    assert page.endswith("</math> is low.</p>")


def test_a_formula_in_a_table_stays_in_its_cell() -> None:
    page = html("| name | formula |\n|---|---|\n| mean | $x_1$ |\n")

    assert "<td><math><msub>" in page


def test_a_formula_on_its_own_lines_is_displayed_in_a_box() -> None:
    page = html("Before\n\n$$\n\\sum_{i=1}^{n} x_i\n$$\n\nafter")

    assert '<div class="formula"><math display="block">' in page
    assert "$" not in page


@pytest.mark.parametrize(
    "text", ["`$x$`", "from $5 to $6", r"\$x\$", "    $ nserbench list $HOME\n"]
)
def test_dollars_in_code_and_of_prices_stay(text: str) -> None:
    page = html(text)

    assert "<math" not in page
    assert "$" in page


def test_a_formula_that_is_not_latex_is_refused() -> None:
    with pytest.raises(LatexError, match="nonsense"):
        html(r"$\nonsense$")
