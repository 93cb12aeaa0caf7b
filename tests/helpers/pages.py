"""The pages of the documentation, and the blocks of code in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
EXAMPLES = sorted(ROOT.glob("docs/reference/examples/*.md"))
"""Pages whose files are written and whose commands are run by a test."""


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the blocks of some languages of a page, in order."""
    wanted = "|".join(languages)
    pattern = rf"^```(?:{wanted})\n(.*?)^```"
    return re.findall(pattern, page.read_text(), re.MULTILINE | re.DOTALL)


def file_name(block: str) -> str:
    """Return the name of the file that a block prints, or an empty text."""
    named = re.match(r"# (\S+\.(?:py|toml))\n", block)
    return named[1] if named else ""


def typed_lines(block: str) -> list[str]:
    """Return the lines that are typed after a prompt."""
    joined = block.replace("\\\n", " ")
    return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
