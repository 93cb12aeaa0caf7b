"""The feature store: features of upstreams, found by what they were made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.file_facts import FileFacts
from nserbench.benchmark.store.shards import (
    SUFFIX,
    ArrayLocation,
    check_shard,
    read_header,
    write_shard,
    write_whole,
)
from nserbench.downstreams.base import Tier

ABOUT = "about.json"

Form = Tier | Literal["transcripts"]
"""The form in which an utterance is stored: a tier of features, or a transcript."""

FORMS: tuple[Form, ...] = ("pooled", "frames", "transcripts")


class FeatureReader(Protocol):
    """An object that reads stored features by key."""

    def read(self, tier: Tier, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance."""

    def frames(self, key: str, group: str) -> int:
        """Return the number of valid frames in a group of an utterance."""


class Features:
    """The features of one extraction, with a key for each utterance.

    Args:
        folder: Folder of its shards.
        file_facts: Database that remembers which shards have been checked.
    """

    def __init__(self, folder: Path, file_facts: FileFacts) -> None:
        self.folder = folder
        self._file_facts = file_facts
        self._forms: dict[Form, dict[str, ArrayLocation]] = {}

    def keys(self, form: Form) -> set[str]:
        """Return the keys of the utterances that are stored in a form."""
        return {name.partition("/")[0] for name in self._stored(form)}

    def read(self, tier: Tier, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance.

        Args:
            tier: Means over time (``pooled``) or all valid frames (``frames``).
            key: Key of the utterance.
            group: Name of the group.
            layers: Indices on the layer axis, in steps of 1.

        Returns:
            ``(layers, dim)`` float32 for means over time, ``(layers, frames, dim)``
            float16 for frames.
        """
        return self._stored(tier)[f"{key}/{group}"].read(layers.start, layers.stop)

    def frames(self, key: str, group: str) -> int:
        """Return the number of valid frames in a group of an utterance."""
        return self._stored("frames")[f"{key}/{group}"].shape[1]

    def read_transcript(self, key: str) -> str:
        """Read the transcript of an utterance."""
        stored = self._stored("transcripts")[f"{key}/text"]
        letters = stored.read(0, stored.shape[0]) if stored.shape[0] else b""
        return bytes(letters).decode()

    def write(
        self,
        form: Form,
        states: Mapping[str, Mapping[str, NDArray[Any]]],
        facts: Mapping[str, str],
    ) -> None:
        """Write utterances as one shard.

        Args:
            form: Form of the arrays.
            states: Arrays with all layers, by key and group, shaped as `read` returns
                them; a transcript is its UTF-8 bytes, as the group ``text``.
            facts: Metadata for the shard's header.
        """
        stored = self._stored(form)  # first, or the new shard would be checked as well
        file = write_shard(
            self.folder,
            form,
            {
                f"{key}/{group}": array
                for key, groups in states.items()
                for group, array in groups.items()
            },
            facts,
        )
        self._file_facts.fill("checked", [file], lambda _: "ok")
        stored.update(read_header(file)[0])

    def shards(self, form: Form) -> list[Path]:
        """Return the shards of a form."""
        return sorted(self.folder.glob(f"{form}-*{SUFFIX}"))

    @property
    def seconds(self) -> float:
        """Time that the upstream took for all utterances stored here, in seconds."""
        return sum(
            float(read_header(file)[1]["seconds"]) for file in self.shards("pooled")
        )

    @property
    def peak(self) -> int | None:
        """Peak memory of the extraction, in bytes; None if it was not measured."""
        headers = (read_header(file)[1] for file in self.shards("pooled"))
        peaks = (int(facts["peak"]) for facts in headers if "peak" in facts)
        return max(peaks, default=None)

    @property
    def size(self) -> int:
        """Size on disk, in bytes."""
        files = (file for form in FORMS for file in self.shards(form))
        return sum(file.stat().st_size for file in files)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The content of ``about.json``: the identity of the extraction, and more."""
        about: dict[str, Any] = json.loads((self.folder / ABOUT).read_text("utf-8"))
        return about

    def _stored(self, form: Form) -> dict[str, ArrayLocation]:
        if form not in self._forms:
            files = self.shards(form)
            self._file_facts.fill("checked", files, _checked)
            self._forms[form] = {
                name: stored
                for file in files
                for name, stored in read_header(file)[0].items()
            }
        return self._forms[form]


def _checked(file: Path) -> str:
    check_shard(file)
    return "ok"


class Store:
    """A folder of features, trained heads and fine-tuned upstreams.

    Several processes may write to it at once.

    Args:
        root: Path of the folder, created if missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file_facts = FileFacts(root / "ledger.sqlite")
        self._open: dict[str, Features] = {}

    def features(self, identity: Mapping[str, object]) -> Features:
        """Open the features of an extraction, which may have none yet."""
        name = digest(identity)
        if name not in self._open:
            self._open[name] = Features(self.root / "features" / name, self.file_facts)
        return self._open[name]

    def announce(
        self, identity: Mapping[str, object], facts: Mapping[str, object]
    ) -> Features:
        """Open the features of an extraction for writing, and write ``about.json``."""
        features = self.features(identity)
        features.folder.mkdir(parents=True, exist_ok=True)
        about = {"identity": dict(identity), **facts}
        content = json.dumps(about, indent=1, sort_keys=True).encode()
        write_whole(features.folder / ABOUT, content)
        return features

    def all_features(self) -> Iterable[Features]:
        """Yield the features of every extraction in the store."""
        for about in sorted((self.root / "features").glob(f"*/{ABOUT}")):
            yield Features(about.parent, self.file_facts)

    def fit_file(self, identity: Mapping[str, object]) -> Path:
        """Return the file for the weights of a trained head; it may not exist yet."""
        return self.root / "fits" / f"{digest(identity)}{SUFFIX}"

    def tuned_file(self, identity: Mapping[str, object]) -> Path:
        """Return the file for fine-tuned weights; it may not exist yet."""
        return self.root / "tuned" / f"{digest(identity)}{SUFFIX}"

    def tuned(self) -> list[Path]:
        """Return the files of all fine-tuned upstreams, unfinished ones included."""
        return sorted((self.root / "tuned").glob("*"))

    def fits(self) -> list[Path]:
        """Return the files of all trained heads."""
        return sorted((self.root / "fits").glob(f"*{SUFFIX}"))
