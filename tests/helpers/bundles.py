"""Small bundles of sound results, and changes to them that stay signed."""

import json
from pathlib import Path
from typing import Any

from labs import add

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import (
    NO_DIGEST,
    read_result,
    text_digest,
)
from nserbench.benchmark.results.result import RESULT
from nserbench.leaderboard.sharing.manifest import MANIFEST
from nserbench.leaderboard.sharing.submit import Sender, submit

CODE = {"packages": {"nserbench": "0.1.0"}, "commit": "a1" * 20, "system": "Linux"}
SENDER = Sender(name="Ann's lab", contact="ann@example.org")


def publishable(lab: Path, upstream: str = "mel", **changes: Any) -> Path:
    """Write a result of a lab that can be published, except for the changes."""
    provenance = {**CODE, **changes.pop("provenance", {})}
    return add(lab, upstream, provenance=provenance, **changes)


def bundle(board: Path, name: str, plugins: Plugins, *upstreams: str) -> Path:
    """Write a bundle of one result for each upstream to a board."""
    lab = board.parent / f"results of {name}"
    for upstream in upstreams or ("mel",):
        publishable(lab, upstream)
    submit(lab, board / name, SENDER, plugins)
    return board / name


def edit(folder: Path, **changes: object) -> None:
    """Change fields of a result in a bundle, and sign result and manifest again."""
    file = folder / RESULT
    content = {**json.loads(file.read_text("utf-8")), **changes}
    if "digests" in content:
        content["digests"][RESULT] = NO_DIGEST
    text = json.dumps(content).encode()
    file.write_bytes(text.replace(NO_DIGEST.encode(), text_digest(text).encode(), 1))
    results = {one.parent.name: one for one in folder.parent.glob(f"*/{RESULT}")}
    digests = {name: text_digest(one.read_bytes()) for name, one in results.items()}
    edit_manifest(folder.parent, results=digests)


def edit_manifest(folder: Path, **changes: object) -> None:
    """Change fields of the manifest of a bundle."""
    file = folder / MANIFEST
    content = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**content, **changes}), "utf-8")


def only_result(folder: Path) -> Path:
    """Return the folder of the only result of a bundle."""
    (file,) = folder.glob(f"*/{RESULT}")
    assert read_result(file.parent)
    return file.parent
