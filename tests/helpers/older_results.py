"""Results without digests, as an older nserbench wrote them: a test can edit them."""

import json
from pathlib import Path

from nserbench.benchmark.results.result import RESULT


def as_older(folder: Path) -> Path:
    """Remove the digests of the files from a result, and return its folder."""
    file = folder / RESULT
    content = json.loads(file.read_text("utf-8"))
    content.pop("digests", None)
    file.write_text(json.dumps(content), "utf-8")
    return folder
