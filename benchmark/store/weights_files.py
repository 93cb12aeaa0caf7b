"""Files of weights that hold a digest of their own content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from nserbench.benchmark.store.digests import bytes_digest
from nserbench.benchmark.store.whole_files import NO_DIGEST, read_file, write_whole
from nserbench.errors import StoreDamaged

if TYPE_CHECKING:
    from torch import Tensor

_FIELD, _NAME = "content", "name"


def write_weights(
    file: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str]
) -> None:
    """Write tensors as a safetensors file with a digest of all its bytes.

    The digest is in the metadata. It is computed with zeros in its own place. So is the
    name of the file, since a file that took the place of another is undamaged.

    Args:
        file: Path to write to. A kill or a full disk leaves the whole file or none.
        tensors: Contiguous tensors by name.
        facts: Metadata for the header.
    """
    from safetensors.torch import save  # imports torch, which a list does not need

    content = save(dict(tensors), {**facts, _NAME: file.stem, _FIELD: NO_DIGEST})
    digest = bytes_digest(content).encode()
    write_whole(file, content.replace(NO_DIGEST.encode(), digest, 1))


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and metadata, and check them against their digest.

    Raises:
        StoreDamaged: if a byte has changed, the file is no such file, or it was written
            under another name.
    """
    from safetensors.torch import load

    content = read_file(file)
    facts = weights_facts(file)
    digest = facts.pop(_FIELD, "").encode()
    unsigned = content.replace(digest, NO_DIGEST.encode(), 1)
    if bytes_digest(unsigned).encode() != digest:
        raise StoreDamaged(f"{file} has changed since it was written")
    if (name := facts.pop(_NAME, file.stem)) != file.stem:  # older files have none
        raise StoreDamaged(f"{file} was stored as {name}")
    return load(content), facts


def weights_facts(file: Path) -> dict[str, str]:
    """Return the metadata of a file of weights, without reading the weights.

    Raises:
        StoreDamaged: if it is no safetensors file.
    """
    try:
        with safe_open(file, framework="np") as stored:
            return dict(stored.metadata() or {})
    except (SafetensorError, IsADirectoryError) as error:
        raise StoreDamaged(f"{file} cannot be read: {error}") from error
