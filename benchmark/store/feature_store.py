"""The feature store: what upstreams gave, by what it was made from."""

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
"""What is stored of an utterance: a tier of features, or its transcript."""

FORMS: tuple[Form, ...] = ("pooled", "frames", "transcripts")


class FeatureReader(Protocol):
    """What gives stored features by key."""

    def read(self, tier: Tier, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance."""

    def frames(self, key: str, group: str) -> int:
        """Give the valid frames of an utterance's group."""


class Features:
    """The features of one extraction: every utterance under one key.

    Args:
        folder: Where its shards are.
        file_facts: Remembers which shards have been checked.
    """

    def __init__(self, folder: Path, file_facts: FileFacts) -> None:
        self.folder = folder
        self._file_facts = file_facts
        self._forms: dict[Form, dict[str, ArrayLocation]] = {}

    def keys(self, form: Form) -> set[str]:
        """Give the keys of the utterances that are held in a form."""
        return {name.partition("/")[0] for name in self._stored(form)}

    def read(self, tier: Tier, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance.

        Args:
            tier: Which form.
            key: The utterance's key.
            group: The group's name.
            layers: Places on the layer axis, next to each other.

        Returns:
            ``(layers, dim)`` float32 if pooled, ``(layers, frames, dim)`` float16 if
            frames.
        """
        return self._stored(tier)[f"{key}/{group}"].read(layers.start, layers.stop)

    def frames(self, key: str, group: str) -> int:
        """Give the valid frames of an utterance's group."""
        return self._stored("frames")[f"{key}/{group}"].shape[1]

    def read_transcript(self, key: str) -> str:
        """Read what the upstream took an utterance to say."""
        stored = self._stored("transcripts")[f"{key}/text"]
        letters = stored.read(0, stored.shape[0]) if stored.shape[0] else b""
        return bytes(letters).decode()

    def write(
        self,
        form: Form,
        states: Mapping[str, Mapping[str, NDArray[Any]]],
        facts: Mapping[str, str],
    ) -> None:
        """Add utterances as one shard.

        Args:
            form: Which one.
            states: Arrays as `read` gives them with all layers, by key and group; of
                a transcript its UTF-8 letters, as the group ``text``.
            facts: What stands in the shard's header.
        """
        stored = self._stored(form)  # before, or the new shard would be checked as well
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
        """Give the files of a form."""
        return sorted(self.folder.glob(f"{form}-*{SUFFIX}"))

    @property
    def seconds(self) -> float:
        """How long the upstream took for everything here."""
        return sum(
            float(read_header(file)[1]["seconds"]) for file in self.shards("pooled")
        )

    @property
    def peak(self) -> int | None:
        """The most memory that was held for it, in bytes; None where nobody knows."""
        facts = (read_header(file)[1] for file in self.shards("pooled"))
        return max((int(one["peak"]) for one in facts if "peak" in one), default=None)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        files = (file for form in FORMS for file in self.shards(form))
        return sum(file.stat().st_size for file in files)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What the features were made from, and by what."""
        found: dict[str, Any] = json.loads((self.folder / ABOUT).read_text("utf-8"))
        return found

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
    """A folder of features and of fitted heads. Several processes may fill one.

    Args:
        root: The folder, made if need be.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file_facts = FileFacts(root / "ledger.sqlite")
        self._open: dict[str, Features] = {}

    def features(self, identity: Mapping[str, object]) -> Features:
        """Open the features of an extraction, there or not."""
        name = digest(identity)
        if name not in self._open:
            self._open[name] = Features(self.root / "features" / name, self.file_facts)
        return self._open[name]

    def announce(
        self, identity: Mapping[str, object], facts: Mapping[str, object]
    ) -> Features:
        """Open the features of an extraction for writing, and note what they are."""
        features = self.features(identity)
        features.folder.mkdir(parents=True, exist_ok=True)
        about = {"identity": dict(identity), **facts}
        content = json.dumps(about, indent=1, sort_keys=True).encode()
        write_whole(features.folder / ABOUT, content)
        return features

    def all_features(self) -> Iterable[Features]:
        """Give everything extracted."""
        for about in sorted((self.root / "features").glob(f"*/{ABOUT}")):
            yield Features(about.parent, self.file_facts)

    def fit_file(self, identity: Mapping[str, object]) -> Path:
        """Give where the weights of a fitted head are, there or not."""
        return self.root / "fits" / f"{digest(identity)}{SUFFIX}"

    def tuned_file(self, identity: Mapping[str, object]) -> Path:
        """Give where the weights of a tuned upstream are, there or not."""
        return self.root / "tuned" / f"{digest(identity)}{SUFFIX}"

    def tuned(self) -> list[Path]:
        """Give the files of all tuned upstreams, those half way included."""
        return sorted((self.root / "tuned").glob("*"))

    def fits(self) -> list[Path]:
        """Give the files of all fitted heads."""
        return sorted((self.root / "fits").glob(f"*{SUFFIX}"))
