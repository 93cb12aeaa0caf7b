"""The feature store: features of upstreams, found by what they were made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from numpy.typing import NDArray

from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.disk_sizes import bytes_on_disk
from nserbench.benchmark.store.file_facts import FileFacts, set_aside, to_stderr
from nserbench.benchmark.store.frame_codes import encode
from nserbench.benchmark.store.layer_arrays import LayerArrays
from nserbench.benchmark.store.shard_parts import ShardPart, shard_parts
from nserbench.benchmark.store.shards import (
    SUFFIX,
    ArrayLocation,
    check_shard,
    read_header,
    write_shard,
)
from nserbench.benchmark.store.weights_files import read_weights
from nserbench.benchmark.store.whole_files import read_checked, write_whole
from nserbench.disk_clock import disk_time
from nserbench.errors import StoreDamaged

ABOUT = "about.json"
_DAY = 86_400.0  # seconds
_FOLDER = "features"
"""Name of the fact in which a shard says its folder: a whole shard may be moved."""
PARTIAL = ".partial"
"""Ending of the checkpoint of an unfinished fine-tuning."""

Form = Literal["pooled", "frames", "frames_int8", "transcripts"]
"""The form in which an utterance is stored: means over time, frames in float16 or in 8
bits, or a transcript."""

FORMS: tuple[Form, ...] = ("pooled", "frames", "frames_int8", "transcripts")
FRAME_FORMS: tuple[Form, ...] = ("frames", "frames_int8")


class Entry(NamedTuple):
    """What the store holds of an utterance: a group in one form, or the transcript.

    Attributes:
        layers: Layers of frames, counted from 0; of means over time all are stored.
    """

    form: Form
    group: str
    layers: range = range(0)


TRANSCRIPT = Entry("transcripts", "text")


class FeatureReader(Protocol):
    """An object that reads stored features by key."""

    def read(self, form: Form, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance."""

    def frames(self, form: Form, key: str, group: str, layers: range) -> int:
        """Return the number of valid frames that `read` returns."""


class Features:
    """The features of one extraction, with a key for each utterance.

    Every shard is compared with its checksum before its first use in a process. A
    damaged shard is set aside, so that its utterances are missing and are extracted
    again.

    Args:
        folder: Folder of its shards.
        note: Receives a message for the user.
    """

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self.folder = folder
        self._note = note
        self._checked: dict[Form, LayerArrays] = {}
        self._files: dict[Form, set[Path]] = {}
        self._current: set[Form] = set()

    def look_again(self) -> None:
        """Notice the shards that other processes have written since the last use."""
        self._current.clear()

    def keys(self, form: Form) -> set[str]:
        """Return the keys of the utterances that are stored in a form.

        Shards that have not been used yet are not checked for this.
        """
        return {name.partition("/")[0] for name in self._arrays(form)}

    def lacking(
        self, wanted: Mapping[str, frozenset[Entry]]
    ) -> dict[str, frozenset[Entry]]:
        """Return the entries that are not stored, by key; no key that lacks none.

        Shards that have not been used yet are not checked for this.
        """
        forms = {entry.form for entries in wanted.values() for entry in entries}
        known = {form: self._arrays(form) for form in forms}
        lacking = {
            key: frozenset(
                e for e in entries if not known[e.form].holds(key, e.group, e.layers)
            )
            for key, entries in wanted.items()
        }
        return {key: entries for key, entries in lacking.items() if entries}

    def _arrays(self, form: Form) -> LayerArrays:
        """Return the arrays that are stored in a form, by name: ``key/group``."""
        if form in self._checked:
            return self._stored(form)
        found = LayerArrays()
        for arrays, _ in self._headers(form):
            found.add(arrays)
        return found

    def check(self, form: Form) -> None:
        """Check all shards of a form, and set damaged ones aside."""
        self._stored(form)

    def read(self, form: Form, key: str, group: str, layers: range) -> NDArray[Any]:
        """Read some layers of a group of an utterance.

        Args:
            form: Means over time, or all valid frames in one of their forms.
            key: Key of the utterance.
            group: Name of the group; for frames in 8 bits also `range_of` it.
            layers: Layers in steps of 1, counted from 0.

        Returns:
            ``(layers, dim)`` float32 for means over time, ``(layers, frames, dim)``
            float16 for frames. Codes and ranges of frames in 8 bits are as `encode`
            returns them.
        """
        array, first = self._stored(form).find(key, group, layers)
        return array.read(layers.start - first, layers.stop - first)

    def frames(self, form: Form, key: str, group: str, layers: range) -> int:
        """Return the number of valid frames that `read` returns."""
        return self._stored(form).find(key, group, layers)[0].shape[1]

    def read_transcript(self, key: str) -> str:
        """Read the transcript of an utterance."""
        stored, _ = self._stored("transcripts").find(key, *TRANSCRIPT[1:])
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
            states: Arrays by key and `stored_name`, shaped as `read` returns them;
                frames are float16 and are encoded here if they are stored in 8 bits. A
                transcript is its UTF-8 bytes, under the name ``text``.
            facts: Metadata for the shard's header.
        """
        stored = self._stored(form)  # first, or the new shard would be checked as well
        encoded = encode if form == "frames_int8" else dict
        file = write_shard(
            self.folder,
            form,
            {
                f"{key}/{group}": array
                for key, groups in states.items()
                for group, array in encoded(groups).items()
            },
            {**facts, _FOLDER: self.folder.name},
        )
        stored.add(read_header(file)[0])
        self._files[form].add(file)

    def delete(self, form: Form) -> None:
        """Delete everything that is stored in a form."""
        for file in self.shards(form):
            file.unlink(missing_ok=True)  # another process may have deleted it
        self._checked.pop(form, None)
        self._files.pop(form, None)
        self._current.discard(form)

    def size_of(self, form: Form) -> int:
        """Return the size on disk of everything that is stored in a form, in bytes."""
        return sum(map(bytes_on_disk, self.shards(form)))

    def shards(self, form: Form) -> list[Path]:
        """Return the shards of a form."""
        return sorted(self.folder.glob(f"{form}-*{SUFFIX}"))

    def facts(self, form: Form = "pooled") -> list[Mapping[str, str]]:
        """Return the metadata of each shard of a form."""
        return [metadata for _, metadata in self._headers(form)]

    def parts(
        self, form: Form, keys: Collection[str], groups: Collection[str] | None = None
    ) -> list[ShardPart]:
        """Return what each shard of a form holds of some utterances.

        Where two runs extracted the same utterances at once, one shard counts.

        Args:
            form: The form.
            keys: Keys of the utterances; shards that hold none are left out.
            groups: Names of the groups that are read; None for all.
        """
        return shard_parts(self._headers(form), keys, groups)

    def size_for(self, keys: Collection[str]) -> int:
        """Return the bytes of all that is stored of some utterances."""
        return sum(part.size for form in FORMS for part in self.parts(form, keys))

    def label(self, name: str) -> str:
        """Return ``upstream`` or ``condition`` of the features, for people to read."""
        facts = (shard for form in FORMS for shard in self.facts(form))
        return next((shard[name] for shard in facts if name in shard), "?")

    @property
    def size(self) -> int:
        """Size on disk, in bytes."""
        files = (file for form in FORMS for file in self.shards(form))
        return sum(file.stat().st_size for file in files)

    def _headers(
        self, form: Form
    ) -> Iterator[tuple[dict[str, ArrayLocation], dict[str, str]]]:
        """Yield the header of each shard that has a readable one."""
        for file in self.shards(form):
            try:
                yield read_header(file)
            except StoreDamaged:
                continue  # it is reported and set aside before it is used

    def _stored(self, form: Form) -> LayerArrays:
        stored = self._checked.setdefault(form, LayerArrays())
        if form not in self._current:
            known = self._files.setdefault(form, set())
            files = [file for file in self.shards(form) if file not in known]
            with ThreadPoolExecutor() as pool:
                problems = list(pool.map(_problem, files))
            for file, problem in zip(files, problems, strict=True):
                if problem is not None:
                    report_damage(file, problem, self._note)
                else:
                    stored.add(read_header(file)[0])
                    known.add(file)
            self._current.add(form)
        return stored


def _problem(file: Path) -> StoreDamaged | None:
    """Return why a shard cannot be used, if it cannot."""
    try:
        check_shard(file)
        folder = read_header(file)[1].get(_FOLDER, file.parent.name)
    except StoreDamaged as error:
        return error
    if folder != file.parent.name:  # older shards do not say it
        return StoreDamaged(f"{file} holds features of {folder}")
    return None


def report_damage(file: Path, error: StoreDamaged, note: Callable[[str], None]) -> None:
    """Set a damaged file aside, and say so."""
    note(f"{error}: moved to {set_aside(file).name}, and made again where needed")


class Store:
    """A folder of features, trained heads and fine-tuned upstreams.

    Several processes may write to it at once.

    Args:
        root: Path of the folder, created if missing.
        note: Receives a message for the user, such as that a file was damaged.
        verify: Whether all audio and checkpoints are read again, even if their files
            look unchanged.
    """

    def __init__(
        self,
        root: Path,
        note: Callable[[str], None] = to_stderr,
        *,
        verify: bool = False,
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root = root.absolute()
        self.note = note
        self.file_facts = FileFacts(root / "ledger.sqlite", verify, self._say)
        self._open: dict[str, Features] = {}
        self._whole: set[Path] = set()

    def _say(self, text: str) -> None:
        self.note(text)

    def features(self, identity: Mapping[str, object]) -> Features:
        """Open the features of an extraction, which may have none yet."""
        name = digest(identity)
        if name not in self._open:
            self._open[name] = Features(self.root / "features" / name, self._say)
        return self._open[name]

    def features_in(self, folder: Path) -> Features:
        """Open the features in a folder of the store; see `features`."""
        known = self._open.get(folder.name)
        return Features(folder, self._say) if known is None else known

    def look_again(self) -> None:
        """Notice what other processes have written since the last use."""
        for features in self._open.values():
            features.look_again()

    def announce(self, identity: Mapping[str, object]) -> Features:
        """Open the features of an extraction for writing, and write ``about.json``.

        The file tells people what identifies the features. Nothing reads it.
        """
        features = self.features(identity)
        content = json.dumps(dict(identity), indent=1, sort_keys=True).encode()
        about = features.folder / ABOUT
        if about.is_dir():  # a folder cannot be replaced by a file
            set_aside(about)
        write_whole(about, content)
        return features

    def all_features(self) -> Iterator[Features]:
        """Yield the features of every extraction in the store."""
        for folder in sorted((self.root / "features").glob("*/")):
            features = Features(folder, self._say)
            if any(features.shards(form) for form in FORMS):
                yield features

    def holds(self, file: Path) -> bool:
        """Return whether a file of weights is there and undamaged.

        A damaged file is set aside. A file is checked once in a process.
        """
        if file in self._whole:
            return file.exists()
        if not file.exists():
            return False
        read = read_checked if file.suffix == PARTIAL else read_weights
        try:
            read(file)
        except StoreDamaged as error:
            report_damage(file, error, self._say)
            return False
        self._whole.add(file)
        return True

    def damaged(self) -> list[Path]:
        """Return the files that were set aside because they were damaged."""
        return sorted(self.root.rglob("*.damaged-*"))

    def sweep(self) -> None:
        """Delete temporary files of killed processes, once they are a day old.

        In a read-only store nothing is deleted.
        """
        folders = ("features/*", "fits", "tuned", "in-use", "leaderboard")
        files = [file for name in folders for file in self.root.glob(f"{name}/.*")]
        if files:
            with suppress(OSError):
                oldest = disk_time(self.root) - _DAY
                for file in files:
                    # Another process may have finished or deleted it.
                    with suppress(OSError):
                        if file.stat().st_mtime < oldest:
                            file.unlink()

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
