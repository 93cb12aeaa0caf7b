"""What is read of an extraction, and the passes of the upstream that it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.store.feature_store import (
    FRAME_FORMS,
    TRANSCRIPT,
    Entry,
    Features,
    Form,
    Store,
)


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass of an upstream over utterances that all lack the same.

    Attributes:
        clips: Utterances by key.
        entries: What the store lacks of each of them.
    """

    extraction: Extraction
    clips: Mapping[str, Clip]
    entries: frozenset[Entry]

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that are stored, in a fixed order."""
        return forms_of(self.entries)

    @property
    def groups(self) -> frozenset[str]:
        """The groups that are read; none if the transcripts alone are."""
        return frozenset(e.group for e in self.entries if e != TRANSCRIPT)

    @property
    def returns_transcripts(self) -> bool:
        """Whether the transcripts are to be stored."""
        return TRANSCRIPT in self.entries

    @property
    def transcribes(self) -> bool:
        """Whether the upstream has to transcribe, for the features or the store."""
        bound = self.extraction.upstream.bound
        return self.returns_transcripts or bound.card.transcribes_for(
            bound.options, self.groups
        )


@dataclass(frozen=True, slots=True)
class Need:
    """What is read of an extraction: which entries of each utterance.

    Attributes:
        clips: Utterances by key.
        wanted: Entries that are read, by key.
    """

    extraction: Extraction
    clips: Mapping[str, Clip]
    wanted: Mapping[str, frozenset[Entry]]

    @classmethod
    def of(
        cls, extraction: Extraction, clips: Sequence[Clip], entries: Iterable[Entry]
    ) -> Need:
        """Return the need of the same entries of some utterances."""
        by_key = dict(zip(extraction.keys(clips), clips, strict=True))
        return cls(extraction, by_key, dict.fromkeys(by_key, frozenset(entries)))

    @property
    def entries(self) -> frozenset[Entry]:
        """Everything that is read of any utterance."""
        return frozenset().union(*set(self.wanted.values()))

    def and_of(self, other: Need) -> Need:
        """Return the need of both, of the same extraction."""
        wanted = dict(self.wanted)
        for key, entries in other.wanted.items():
            wanted[key] = wanted[key] | entries if key in wanted else entries
        return replace(self, clips={**self.clips, **other.clips}, wanted=wanted)

    def only(self, keys: Collection[str]) -> Need:
        """Return the need of some of the utterances; others are ignored."""
        known = [key for key in keys if key in self.clips]
        clips = {key: self.clips[key] for key in known}
        return replace(self, clips=clips, wanted={k: self.wanted[k] for k in known})

    def stored(self, store: Store) -> Features:
        """Open the features of the extraction."""
        return store.features(self.extraction.identity)

    def passes(self, store: Store) -> list[Pass]:
        """Return the passes that make what the store lacks; most often none or one."""
        alike: dict[frozenset[Entry], dict[str, Clip]] = defaultdict(dict)
        for key, entries in self.stored(store).lacking(self.wanted).items():
            alike[entries][key] = self.clips[key]
        return [Pass(self.extraction, clips, names) for names, clips in alike.items()]


def forms_of(entries: Iterable[Entry]) -> tuple[Form, ...]:
    """Return the forms of entries, each once, in a fixed order."""
    found = {entry.form for entry in entries}
    order: tuple[Form, ...] = ("transcripts", "pooled", "frames", "frames_int8")
    return tuple(form for form in order if form in found)


def entries_of(extraction: Extraction, forms: Collection[Form]) -> frozenset[Entry]:
    """Return the entries of all groups and layers of an extraction in some forms."""
    bound, entries = extraction.upstream.bound, {TRANSCRIPT}
    for name, spec in bound.card.describe(bound.options).groups.items():
        layers = range(len(spec.layers))
        entries |= {Entry(form, name, layers) for form in FRAME_FORMS}
        entries.add(Entry("pooled", name))
    return frozenset(entry for entry in entries if entry.form in forms)
