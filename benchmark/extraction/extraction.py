"""What decides the features of an utterance: the identity of an extraction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from nserbench.benchmark.extraction.clips import Clip
from nserbench.benchmark.store.digests import digest
from nserbench.cards import ConfiguredCard
from nserbench.corpora.audio import read_audio
from nserbench.corpora.noise.mixing import MIX_VERSION, Noise, add_noise
from nserbench.upstreams.base import Batch, ModelCard, UpstreamCard
from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard

M = TypeVar("M", bound=ModelCard)


@dataclass(frozen=True, slots=True)
class DigestedModel(Generic[M]):
    """A card with options whose checkpoint has been digested.

    Attributes:
        bound: The card and its options.
        weights: Digest of the checkpoint's files; empty where it has none.
        tuned: Where weights that were tuned from it are; None where it is as it came.
    """

    bound: ConfiguredCard[M]
    weights: str
    tuned: Path | None = None

    @property
    def identity(self) -> dict[str, object]:
        """All that decides what it gives for the same input."""
        return {
            **self.bound.card.identity,
            "options": self.bound.key_options(),
            "weights": self.weights,
        }


@dataclass(frozen=True, slots=True)
class Extraction:
    """An upstream over speech in one condition.

    Attributes:
        upstream: The upstream.
        enhancer: What cleans the audio before the upstream hears it, if anything.
        transcripts: Who writes down what the upstream reads, in the same condition;
            None if it reads the corpus's own texts, or none.
        noise: What is laid under the speech; None for clean speech.
        snr: dB; None for clean speech.
        mix_seed: Of the noise offsets.
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
        """Whether the upstream writes down what it hears."""
        return self.card.can_transcribe(self.upstream.bound.options)

    @property
    def words(self) -> Extraction | None:
        """Where the transcripts are that the features come with, or come from."""
        return self if self.transcribes else self.transcripts

    @property
    def models(self) -> str:
        """What it has to load: equal for the same models in whatever condition."""
        return digest(
            [self.upstream.identity, self.enhancer and self.enhancer.identity]
        )

    @property
    def condition(self) -> str:
        """``clean``, or a noise at an SNR; ``any`` where no audio is heard."""
        if not self.card.reads_audio:
            return self.transcripts.condition if self.transcripts else "any"
        return "clean" if self.noise is None else f"{self.noise.name}@{self.snr:g}"

    @property
    def identity(self) -> dict[str, object]:
        """All that decides the features of an utterance besides the utterance."""
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

    def without_noise(self) -> Extraction:
        """Give the same over clean speech."""
        writer = self.transcripts and self.transcripts.without_noise()
        return replace(self, noise=None, snr=None, transcripts=writer)

    def tuned(self, file: Path) -> Extraction:
        """Give the same with an upstream whose weights were tuned.

        Args:
            file: Where they are, or will be. Its name identifies them, since it is the
                digest of all that decides them.
        """
        weights = digest([self.upstream.weights, file.stem])
        model = replace(self.upstream, weights=weights, tuned=file)
        return replace(self, upstream=model)

    def key(self, clip: Clip) -> str:
        """Give the digest of all that decides an utterance's features besides these."""
        one, reads = clip.utterance, self.card.reads
        heard = self.card.reads_audio
        told = "texts" in reads and self.transcripts is None
        return digest(
            {
                "audio": clip.digest if heard else None,
                "offset": self._part(clip) if heard else None,
                "text": one.text if told else None,
                "transcript": self.transcripts and self.transcripts.key(clip),
                "language": one.language if "languages" in reads else None,
            }
        )

    def keys(self, clips: Sequence[Clip]) -> list[str]:
        """Give the key of each utterance."""
        return [self.key(clip) for clip in clips]

    def wave(self, clip: Clip, enhancer: Enhancer | None = None) -> NDArray[np.float32]:
        """Give the audio that the upstream hears: read, mixed, enhanced, padded or cut.

        Args:
            clip: The utterance.
            enhancer: The loaded enhancer, if the extraction has one.

        Returns:
            ``(samples,)``.
        """
        one, card = clip.utterance, self.card
        wave = read_audio(one.path, one.start, one.end, one.channel)
        if self.noise is not None and self.snr is not None:
            wave = add_noise(wave, self.noise, one.id, self.snr, self.mix_seed).wave
        if enhancer is not None:
            wave = enhancer.enhance(wave)
        wave = wave[: card.max_samples]
        short = card.min_samples - len(wave)
        return np.pad(wave, (0, short)) if short > 0 else wave

    def batch(
        self,
        clips: Sequence[Clip],
        texts: Sequence[str | None],
        enhancer: Enhancer | None = None,
    ) -> Batch:
        """Give what the upstream reads of some utterances.

        Args:
            clips: The utterances.
            texts: What is said in each, as far as it is known.
            enhancer: The loaded enhancer, if the extraction has one.
        """
        heard = clips if self.card.reads_audio else ()
        return Batch(
            [clip.utterance.id for clip in clips],
            [self.wave(clip, enhancer) for clip in heard],
            texts,
            [clip.utterance.language for clip in clips],
        )

    def _part(self, clip: Clip) -> int | str | None:
        if self.noise is None:
            return None
        return self.noise.key(clip.utterance.id, clip.samples, self.mix_seed)
