"""Typeset LaTeX by the real program, where it is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

DOCUMENT = r"""\documentclass[twocolumn]{article}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage{booktabs,graphicx}
\begin{document}
%s\end{document}
"""
"""What the docs tell users to put around a table, in two columns."""

needs_pdflatex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="there is no pdflatex"
)


def typeset(text: str, folder: Path) -> None:
    """Typeset tables; fail at any error, and where one is wider than its column."""
    (folder / "tables.tex").write_text(DOCUMENT % text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "tables"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    log = (folder / "tables.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert "Output written on tables.pdf" in log
    assert "Overfull \\hbox" not in log
    assert "LaTeX Warning: Float" not in log
