"""Find and digest the checkpoints of upstreams."""

from __future__ import annotations

from dataclasses import dataclass

from nserbench.benchmark.extraction.identity import DigestedModel, Extraction, M
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.file_facts import DIGEST, state_of
from nserbench.benchmark.study.cell import Condition
from nserbench.benchmark.study.name_lookup import transcriber_of
from nserbench.benchmark.study.study import OpenedCorpus
from nserbench.cards import ConfiguredCard
from nserbench.errors import Missing, copy_named
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.enhancement.base import EnhancerCard


@dataclass(frozen=True, slots=True)
class ResolvedUpstream:
    """An upstream and the models that its options name, all digested."""

    upstream: DigestedModel[UpstreamCard]
    enhancer: DigestedModel[EnhancerCard] | None
    transcriber: ResolvedUpstream | None

    @property
    def upstreams(self) -> list[ConfiguredCard[UpstreamCard]]:
        """The upstream that transcribes, if there is one, and this one."""
        first = self.transcriber.upstreams if self.transcriber else []
        return [*first, self.upstream.bound]

    def extraction(
        self, opened: OpenedCorpus, condition: Condition, mix_seed: int
    ) -> Extraction:
        """Return the extraction of this upstream over a corpus in a condition."""
        transcripts = None
        if self.transcriber is not None:
            transcripts = self.transcriber.extraction(opened, condition, mix_seed)
        return Extraction(
            self.upstream,
            self.enhancer,
            transcripts,
            opened.noise(condition),
            condition.snr,
            mix_seed,
        )


def resolve_upstream(
    upstream: ConfiguredCard[UpstreamCard], store: Store
) -> ResolvedUpstream:
    """Digest the checkpoint of an upstream, and of the models that its options name.

    Raises:
        CheckpointMissing: if weights are not on this machine and cannot be downloaded.
        SeveralMissing: if several weights are.
    """
    enhancer, transcriber = upstream.options.get("enhance"), transcriber_of(upstream)
    name, missing, cleaner, writer = upstream.card.name, Missing(), None, None
    with missing.gather():
        model = _model(upstream, store)
    if enhancer is not None:
        with missing.gather(), copy_named(f"{name}:enhance={{", "}"):
            cleaner = _model(enhancer, store)
    if transcriber is not None:
        with missing.gather(), copy_named(f"{name}:text={{", "}"):
            writer = resolve_upstream(transcriber, store)
    missing.refuse()
    return ResolvedUpstream(model, cleaner, writer)


def _model(bound: ConfiguredCard[M], store: Store) -> DigestedModel[M]:
    """Digest a checkpoint by the names and contents of its files."""
    if bound.card.extra is not None:
        bound.card.loader()  # fails now if a package is missing
    files = bound.card.checkpoint_files(bound.options)
    if not files:
        return DigestedModel(bound, "")
    states = [(path, state_of(DIGEST, path)) for path in files]
    digests = store.file_facts.digests(files)
    names = sorted([path.name, digests[path]] for path in files)
    return DigestedModel(bound, digest(names), files=states)
