"""What the jobs of a command read, of every extraction and every utterance.

It is decided over all jobs before the first pass, so that one pass over an utterance
makes everything that any of them reads, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.extraction.extract import ModelCache, extract_missing
from nserbench.benchmark.extraction.identity import Extraction
from nserbench.benchmark.extraction.need import Need
from nserbench.benchmark.jobs.job import FineTuning, Job
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import TRANSCRIPT, Entry, Form, Store
from nserbench.errors import BadSpec
from nserbench.progress import Progress


@dataclass(slots=True)
class _Readers:
    """The jobs that read an extraction: entries of a list of utterances, for each list.

    Attributes:
        lists: By the identity of the list in memory, since jobs share it.
    """

    corpus: str
    extraction: Extraction
    lists: dict[int, tuple[Sequence[Clip], set[Entry]]] = field(default_factory=dict)

    def add(self, clips: Sequence[Clip], entries: Iterable[Entry]) -> None:
        self.lists.setdefault(id(clips), (clips, set()))[1].update(entries)

    def remove(self, form: Form) -> None:
        for clips, entries in self.lists.values():
            kept = {entry for entry in entries if entry.form != form}
            self.lists[id(clips)] = clips, kept

    def joined(self) -> Need:
        """Return the need of all of them."""
        first, *others = (
            Need.of(self.extraction, clips, entries)
            for clips, entries in self.lists.values()
        )
        for other in others:
            first = first.and_of(other)
        return first

    def of(self, clips: Sequence[Clip], entries: Collection[Entry]) -> Need:
        """Return the need of some utterances, with further entries of each."""
        if self.lists.keys() == {id(clips)}:  # as where all studies are of one corpus
            ((_, own),) = self.lists.values()
            return Need.of(self.extraction, clips, own.union(entries))
        need = Need.of(self.extraction, clips, entries)
        return need.and_of(self.joined().only(need.clips))


@dataclass(frozen=True, slots=True)
class NamedNeed:
    """A need, and the label of the corpus that it was first met with."""

    corpus: str
    name: str
    need: Need


class Needs:
    """What jobs read, for training and test, of every extraction.

    Args:
        jobs: All jobs of a command.
        store: Where fine-tuned weights are, whose absence needs more.

    Raises:
        BadSpec: if a noise has two names.
    """

    def __init__(self, jobs: Iterable[Job], store: Store) -> None:
        self._readers: dict[str, _Readers] = {}
        self._names: dict[int, tuple[Extraction, str]] = {}
        self._entries: dict[object, frozenset[Entry]] = {}
        for job in chain.from_iterable(job.alternatives for job in jobs):
            if job.tuning is not None:
                self._add_tuning(job.tuning, job, store)
            for fold in job.folds(store):
                self._add(fold)

    def __iter__(self) -> Iterator[NamedNeed]:
        """Yield every need; transcripts before the features of those that read them."""
        for name, readers in self._readers.items():
            yield NamedNeed(readers.corpus, name, readers.joined())

    @property
    def names(self) -> Collection[str]:
        """The names of the extractions that are read."""
        return self._readers.keys()

    def named(self, name: str) -> Need | None:
        """Return the need of the extraction with a name; None if there is none."""
        readers = self._readers.get(name)
        return None if readers is None else readers.joined()

    def has(self, extraction: Extraction, entry: Entry) -> bool:
        """Return whether an entry is read of any utterance."""
        readers = self._readers.get(self.name_of(extraction))
        lists = readers.lists.values() if readers else ()
        return any(entry in entries for _, entries in lists)

    def remove(self, name: str, form: Form) -> None:
        """Forget that a form is read, once no job that is left reads it.

        Args:
            name: Name of the extraction.
            form: Such as frames.
        """
        if name in self._readers:
            self._readers[name].remove(form)

    def of(
        self,
        extraction: Extraction,
        clips: Sequence[Clip],
        entries: Collection[Entry] = (),
    ) -> Need:
        """Return what the jobs read of some utterances, and further entries."""
        readers = self._readers.get(self.name_of(extraction))
        if readers is None:
            return Need.of(extraction, clips, entries)
        return readers.of(clips, entries)

    def ensure(
        self,
        extraction: Extraction,
        clips: Sequence[Clip],
        store: Store,
        models: ModelCache,
        progress: Progress,
        entries: Collection[Entry] = (),
    ) -> None:
        """Make all that is read of utterances, and the transcripts for it.

        Args:
            extraction: The extraction.
            clips: The utterances.
            store: Where the features go.
            models: Opens the models.
            progress: Receives each pass.
            entries: Entries to make besides those that the jobs read.

        Raises:
            NserbenchError: if a model cannot be loaded or breaks its contract.
        """
        if extraction.transcripts is not None:
            source = extraction.transcripts
            self.ensure(source, clips, store, models, progress, [TRANSCRIPT])
        extract_missing(self.of(extraction, clips, entries), store, models, progress)

    def name_of(self, extraction: Extraction) -> str:
        """Return the name of an extraction, a digest; computed once for each object."""
        known = self._names.get(id(extraction))
        if known is None:
            known = self._names[id(extraction)] = (
                extraction,
                digest(extraction.identity),
            )
        return known[1]

    def _add(self, job: Job) -> None:
        """Add what the head of a job reads."""
        for source in (*(part.extraction for part in job.training), job.extraction):
            for part, own in source.own_groups(job.layers).items():
                extraction = source.parts[part]
                # Many cells differ only in head or seed.
                alike = self.name_of(extraction), job.cell.form, tuple(own.items())
                if alike not in self._entries:
                    self._entries[alike] = head_entries(job, extraction, own)
                self._add_entries(job, extraction, self._entries[alike])

    def _add_tuning(self, tuning: FineTuning, job: Job, store: Store) -> None:
        """Add what fine-tuning reads of the original upstream, if it must still run."""
        if all(tuning.file(split, store).exists() for split in job.splits):
            return
        for joint in (stage.joint for stage in tuning.stages):
            entries = tuning_entries(joint)
            for condition in joint.training:
                extraction = condition.extraction.alone
                if entries:
                    self._add_entries(joint, extraction, entries)
                elif extraction.transcripts is not None:
                    self._add_entries(joint, extraction.transcripts, [TRANSCRIPT])

    def _add_entries(
        self, job: Job, extraction: Extraction, entries: Collection[Entry]
    ) -> None:
        if extraction.transcripts is not None:
            self._add_entries(job, extraction.transcripts, [TRANSCRIPT])
        readers = self._readers.setdefault(
            self.name_of(extraction), _Readers(job.cell.corpus.label, extraction)
        )
        _refuse_two_names(readers.extraction, extraction)
        readers.add(job.clips, entries)


def _refuse_two_names(first: Extraction, second: Extraction) -> None:
    """Refuse a noise that is asked for by two names.

    Their features would be one extraction, but the name is part of what decides which
    segment an utterance gets.

    Raises:
        BadSpec: if the two differ in the name of the noise.
    """
    names = [one.noise.name for one in (first, second) if one.noise is not None]
    if len(set(names)) > 1:
        raise BadSpec(
            f"the noises {names[0]!r} and {names[1]!r} are the same recording, or "
            "folders whose files have the same names and sizes\n"
            "  use one of the names, or run them in two commands"
        )


def head_entries(
    job: Job, extraction: Extraction, layers: Mapping[str, range]
) -> frozenset[Entry]:
    """Return the entries that the head of a job reads of one of its extractions.

    Means over time are among them for a head on frames, too: it is compared with the
    head `mean`. So are transcripts if the upstream transcribes for these groups anyway,
    so that the result has their word errors.

    Args:
        job: The job.
        extraction: One of its extractions.
        layers: The layers that the head reads of each group of this extraction.
    """
    entries = {Entry("pooled", group) for group in layers}
    if job.cell.reads_frames:
        entries |= {Entry(job.cell.form, *read) for read in layers.items()}
    bound = extraction.upstream.bound
    if bound.card.transcribes_for(bound.options, layers):
        entries.add(TRANSCRIPT)
    return frozenset(entries)


def tuning_entries(joint: Job) -> frozenset[Entry]:
    """Return the entries of the original upstream that standardise a pooled head."""
    if not joint.recipe.standardise or joint.cell.reads_frames:
        return frozenset()
    return head_entries(joint, joint.extraction.alone, joint.layers)
