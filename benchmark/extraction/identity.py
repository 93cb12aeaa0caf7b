"""An extraction: an upstream over speech in a condition, and its identity."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.store.digests import digest
from nserbench.benchmark.store.file_facts import DIGEST, state_of
from nserbench.cards import ConfiguredCard
from nserbench.corpora.noise.mixing import MIX_VERSION, Noise, add_noise
from nserbench.errors import CheckpointMissing
from nserbench.upstreams.base import Batch, UpstreamCard
from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard
from nserbench.upstreams.model_card import ModelCard

M = TypeVar("M", bound=ModelCard)


@dataclass(frozen=True, slots=True)
class DigestedModel(Generic[M]):
    """A card with options whose checkpoint has been digested.

    Attributes:
        weights: Digest of the checkpoint's files; empty if there are none.
        tuned: Path of the fine-tuned weights; None if the model is not fine-tuned.
        files: The checkpoint's files, each with its state before it was digested.
        original: The model before it was fine-tuned; None if it is not fine-tuned.
    """

    bound: ConfiguredCard[M]
    weights: str
    tuned: Path | None = None
    files: Sequence[tuple[Path, str]] = ()
    original: DigestedModel[M] | None = None

    @property
    def identity(self) -> dict[str, object]:
        """Everything that determines its output for a given input."""
        return {**self.code, "weights": self.weights}

    @property
    def code(self) -> dict[str, object]:
        """What identifies its code and options."""
        return {**self.bound.card.identity, "options": self.bound.key_options()}

    def refuse_changed(self) -> None:
        """Refuse weights that have changed since they were digested.

        It is called after they have been loaded.

        Raises:
            CheckpointMissing: if a file has changed.
        """
        for path, state in self.files:
            if not path.exists() or state_of(DIGEST, path) != state:
                raise CheckpointMissing(
                    f"{path} has changed since this command began\n  run it again: "
                    "features of the new weights are stored separately"
                )


@dataclass(frozen=True, slots=True)
class Extraction:
    """An upstream over speech in one condition.

    Attributes:
        enhancer: Removes noise before the upstream receives the audio; None if there is
            no enhancer.
        transcripts: Extraction of the transcripts that the upstream reads, in the same
            condition; None if it reads the texts of the corpus, or no text.
        snr: SNR in dB; None for clean speech.
        mix_seed: Seed of the noise offsets.
    """

    upstream: DigestedModel[UpstreamCard]
    enhancer: DigestedModel[EnhancerCard] | None
    transcripts: Extraction | None
    noise: Noise | None
    snr: float | None
    mix_seed: int

    @property
    def card(self) -> UpstreamCard:
        """The upstream's card."""
        return self.upstream.bound.card

    @property
    def transcribes(self) -> bool:
        """Whether the upstream transcribes speech."""
        return self.card.can_transcribe(self.upstream.bound.options)

    @property
    def transcript_source(self) -> Extraction | None:
        """Extraction of the transcripts that the upstream writes or reads."""
        return self if self.transcribes else self.transcripts

    def transcribers(
        self, groups: Collection[str]
    ) -> list[ConfiguredCard[UpstreamCard]]:
        """Return the upstreams whose transcripts these groups depend on."""
        first = [self.transcripts.upstream.bound] if self.transcripts else []
        own = self.upstream.bound
        return [
            *first,
            *([own] if self.card.transcribes_for(own.options, groups) else []),
        ]

    @property
    def models(self) -> str:
        """Digest of the models to load, the same for every condition."""
        return digest(
            [self.upstream.identity, self.enhancer and self.enhancer.identity]
        )

    @property
    def condition(self) -> str:
        """``clean``, or a noise at an SNR; ``any`` if the upstream reads no audio."""
        if not self.card.reads_audio:
            return self.transcripts.condition if self.transcripts else "any"
        return "clean" if self.noise is None else f"{self.noise.name}@{self.snr:g}"

    @property
    def identity(self) -> dict[str, object]:
        """Everything that determines the features, apart from the utterance."""
        mixed = None
        if self.noise is not None and self.card.reads_audio:
            mixed = {
                "noise": self.noise.digest,
                "snr": self.snr,
                "version": MIX_VERSION,
            }
        return {
            **self.upstream.identity,
            "enhancer": self.enhancer and self.enhancer.identity,
            "transcripts": self.transcripts and self.transcripts.identity,
            "mix": mixed,
            "precision": "float32",
        }

    @property
    def cards(self) -> list[dict[str, object]]:
        """What identifies all models that it runs, but for their weights."""
        enhancer = [self.enhancer.code] if self.enhancer else []
        transcriber = self.transcripts.cards if self.transcripts else []
        return [self.upstream.code, *enhancer, *transcriber]

    def without_noise(self) -> Extraction:
        """Return the same extraction over clean speech."""
        writer = self.transcripts and self.transcripts.without_noise()
        return replace(self, noise=None, snr=None, transcripts=writer)

    def tuned(self, file: Path) -> Extraction:
        """Return the same extraction with fine-tuned weights.

        Args:
            file: Path of the weights, which need not exist yet. Its name is the digest
                of everything that determines them, and so identifies them.
        """
        weights = digest([self.upstream.weights, file.stem])
        original = self.upstream.original or self.upstream
        model = replace(self.upstream, weights=weights, tuned=file, original=original)
        return replace(self, upstream=model)

    def key(self, clip: Clip) -> str:
        """Return the digest of everything that differs between utterances."""
        utterance, reads = clip.utterance, self.card.reads
        reads_audio = self.card.reads_audio
        reads_corpus_text = "texts" in reads and self.transcripts is None
        return digest(
            {
                "audio": clip.digest if reads_audio else None,
                "offset": self._noise_key(clip) if reads_audio else None,
                "text": utterance.text if reads_corpus_text else None,
                "transcript": self.transcripts and self.transcripts.key(clip),
                "language": utterance.language if "languages" in reads else None,
            }
        )

    def noise_segments(self, clips: Sequence[Clip]) -> str | None:
        """Return the digest of the noise added to the clips; None if there is none.

        Of a set of files the noise's own digest says names and sizes alone.
        """
        if not self.card.reads_audio and self.transcripts is not None:
            return self.transcripts.noise_segments(clips)
        if not self.card.reads_audio or self.noise is None:
            return None
        return digest([self.noise.digest, [self._noise_key(clip) for clip in clips]])

    def keys(self, clips: Sequence[Clip]) -> list[str]:
        """Return the key of each utterance."""
        return [self.key(clip) for clip in clips]

    def wave(self, clip: Clip, enhancer: Enhancer | None = None) -> NDArray[np.float32]:
        """Return the audio for the upstream: read, mixed, enhanced, padded or cut.

        Returns:
            ``(samples,)``.

        Raises:
            BadAudio: if the audio cannot be read, or has changed since its digest was
                computed.
        """
        utterance, card = clip.utterance, self.card
        wave = clip.read()
        if self.noise is not None and self.snr is not None:
            noise, snr, seed = self.noise, self.snr, self.mix_seed
            wave = add_noise(wave, noise, utterance.id, snr, seed).wave
        if enhancer is not None:
            wave = enhancer.enhance(wave)
        wave = wave[: card.max_samples]
        padding = card.min_samples - len(wave)
        return np.pad(wave, (0, padding)) if padding > 0 else wave

    def batch(
        self,
        clips: Sequence[Clip],
        texts: Sequence[str | None],
        enhancer: Enhancer | None = None,
        groups: frozenset[str] | None = None,
    ) -> Batch:
        """Return the input of the upstream for some utterances.

        Args:
            clips: The utterances.
            texts: The text of each, if the upstream reads texts.
            enhancer: Removes noise first; None if there is no enhancer.
            groups: Groups that are read; None for all.
        """
        with_audio = clips if self.card.reads_audio else ()
        reads_both = enhancer is not None and "unenhanced" in self.card.reads
        return Batch(
            [clip.utterance.id for clip in clips],
            [self.wave(clip, enhancer) for clip in with_audio],
            texts,
            [clip.utterance.language for clip in clips],
            groups=groups,
            unenhanced=[self.wave(clip) for clip in with_audio if reads_both],
        )

    def _noise_key(self, clip: Clip) -> int | str | None:
        if self.noise is None:
            return None
        return self.noise.key(clip.utterance.id, clip.samples, self.mix_seed)
