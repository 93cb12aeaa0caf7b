"""Whisper: every encoder layer, every decoder layer, and the transcript."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    PreTrainedModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from nserbench.cards import Options
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.languages import language_code
from nserbench.upstreams.base import (
    Batch,
    LayeredFeatures,
    LayerGroup,
    Recognised,
    Transcriber,
    eval_mode,
)
from nserbench.upstreams.loading.configs import describe_whisper, of_type, size_in
from nserbench.upstreams.loading.hub import checkpoint_folder, read_settings
from nserbench.upstreams.loading.transformers import load_pretrained
from nserbench.upstreams.whisper_encoder import (
    frames_of,
    padded_states,
    unpadded_states,
)
from nserbench.upstreams.whisper_search import Attended, WhisperDecoder, rows_of

MOST_TOKENS = 224
"""Tokens of the longest transcript, end-of-text included: half of the decoder's
positions, which is the limit of OpenAI's own decoding."""

SEARCH_MEMORY = 2**30
"""Bytes that the keys and values of the audio may take in a search on a CPU. For 30 s
they are 18 MB in tiny, 111 MB in small, 492 MB in large."""

START, END = "<|startoftranscript|>", "<|endoftext|>"
TRANSCRIBE, NO_TIMESTAMPS = "<|transcribe|>", "<|notimestamps|>"
MULTILINGUAL_VOCABULARY = 51_865
"""Vocabulary size from which OpenAI's code treats a checkpoint as multilingual."""
_DEFAULTS = {"vocab_size": WhisperConfig().vocab_size}


@dataclass(frozen=True, slots=True)
class _Search:
    """Utterances that were searched together.

    Attributes:
        attended: What the decoder reads of their audio.
        prompts: ``(utterances, tokens)``.
        tokens: The tokens of each utterance, end-of-text included.
    """

    attended: Attended
    prompts: Tensor
    tokens: Sequence[Sequence[int]]


class Whisper(Transcriber):
    """The layers of a Whisper over audio and over its own greedy transcript.

    The decoder has states only for tokens, and the paper lets it generate them
    (Sec. III-B) without saying how. We take the greedy transcript without timestamps,
    at most `MOST_TOKENS` long, and the states of a pass over it (teacher forcing). They
    differ from those of the search by rounding alone: attention is causal.

    Decoder frames are the positions from which the transcript was predicted, one for
    each token that the search chose. The first is that of the last prompt token, which
    predicts the first token of the text; the last is that of the last token of the
    text, which predicts end-of-text. Earlier prompt tokens and end-of-text itself have
    no frame. An empty transcript has one frame, a cut one has `MOST_TOKENS`.

    Encoder frames beyond the audio, which Whisper pads to 30 s, are removed as well.
    Without padding the encoder reads the audio alone, see `unpadded_states`, and so
    does the decoder, which was trained on padded audio and then often repeats a
    sentence to the end. Utterances run one by one, so that none depends on the length
    of another.

    On a CPU the results of an utterance are equal to the bit in any batch. Each is
    encoded alone, and so are the states of its tokens computed. Padded utterances are
    searched together, which is faster; see `WhisperDecoder.search`.

    Args:
        options: ``checkpoint``, ``revision``, ``pad``: whether audio is padded to 30 s,
            and ``language``: the code for every prompt. None for that of each utterance
            if the checkpoint knows it, else English.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if it is no Whisper, or does not know ``language``.
    """

    thread_safe = True

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        describe_whisper(options)  # raises if it is no Whisper
        folder = checkpoint_folder(options["checkpoint"], options["revision"])
        self.tokenizer = _tokenizer(folder)
        model = load_pretrained(WhisperForConditionalGeneration, folder)
        self.model: PreTrainedModel = model.to(device)
        self.extractor = WhisperFeatureExtractor(
            feature_size=self.model.config.num_mel_bins
        )
        flag = getattr(self.model.generation_config, "is_multilingual", None)
        self.multilingual = _is_multilingual(flag, self.model.config.vocab_size)
        self._token_ids: dict[str, int] = self.tokenizer.get_vocab()
        self._languages = _language_tokens(self._token_ids)
        self.language: str | None = options["language"]
        self.pads: bool = options["pad"]
        self.decoder = WhisperDecoder(
            self.model, self._token_ids[END], *self._suppressed()
        )
        if self.language and not self._knows(self.language):
            raise BadSpec(
                f"{options['checkpoint']} does not know language={self.language}"
            )

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return both groups; ``encoder`` alone, without a search, if it alone is read.

        In training the decoder runs all the same if the checkpoint has dropout in it:
        the random numbers that the head draws come after those of the decoder.

        Raises:
            ValueError: if a wave is empty or longer than 30 s.
        """
        drawn_before = self.model.training and self._decoder_draws
        if batch.reads("decoder") or drawn_before:
            return self.forward_and_transcribe(batch).features
        return _joined(
            [
                {"encoder": _encoder_group(self._encode(part), part)}
                for part in self._parts(batch)
            ]
        )

    def forward_and_transcribe(self, batch: Batch) -> Recognised:
        """Return the groups ``encoder`` and ``decoder``, and the greedy transcripts.

        Raises:
            ValueError: if a wave is empty or longer than 30 s.
        """
        found = [self._recognise(part) for part in self._searched(batch)]
        parts = [features for parts, _ in found for features in parts]
        return Recognised(
            _joined(parts), [text for _, texts in found for text in texts]
        )

    def _recognise(self, batch: Batch) -> tuple[list[LayeredFeatures], list[str]]:
        """Return features by part, and transcripts, of what is searched together."""
        groups, encoded = list[LayerGroup](), list[Tensor]()
        for part in self._parts(batch):
            states = self._encode(part)
            groups.append(_encoder_group(states, part))
            encoded.append(states[-1])
        search = self._search(encoded, self._prompts(batch.languages))
        size = len(encoded[0])
        features: list[LayeredFeatures] = [
            {
                "encoder": group,
                "decoder": self._decoder_group(
                    search, slice(size * number, size * (number + 1))
                ),
            }
            for number, group in enumerate(groups)
        ]
        return features, self._texts(search.tokens)

    @torch.no_grad()
    def transcribe(self, batch: Batch) -> list[str]:
        """Return the greedy transcript of each utterance.

        Raises:
            ValueError: if a wave is empty or longer than 30 s.
        """
        texts = []
        for together in self._searched(batch):
            encoded = [self._encode(part)[-1] for part in self._parts(together)]
            search = self._search(encoded, self._prompts(together.languages))
            texts += self._texts(search.tokens)
        return texts

    @property
    def _decoder_draws(self) -> bool:
        """Whether the decoder draws random numbers in training, as for dropout."""
        config = self.model.config
        rates = config.dropout, config.attention_dropout, config.activation_dropout
        return any(rate > 0 for rate in (*rates, config.decoder_layerdrop))

    def _texts(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _searched(self, batch: Batch) -> Sequence[Batch]:
        """Return the utterances that are searched together.

        They are all on a GPU or in training, else as many as `SEARCH_MEMORY` allows.
        Without padding each is alone, since it has another number of frames.
        """
        if not self.pads:
            return batch.utterances()
        if self._computes_batches:
            return [batch]
        config, floats = self.model.config, 4  # bytes
        size = 2 * config.decoder_layers * config.max_source_positions * config.d_model
        return batch.parts(max(1, SEARCH_MEMORY // (size * floats)))

    def _parts(self, batch: Batch) -> Sequence[Batch]:
        """Return the utterances that are encoded together, and so are their tokens.

        They are all on a GPU or in training. Elsewhere each is alone, so that no bit
        depends on the others.
        """
        together = self.pads and self._computes_batches
        return [batch] if together else batch.utterances()

    @property
    def _computes_batches(self) -> bool:
        return self.device != "cpu" or torch.is_grad_enabled()

    def _encode(self, batch: Batch) -> Sequence[Tensor]:
        """Return the states of each encoder layer, ``(batch, frames, dim)``.

        Raises:
            ValueError: if a wave is empty or longer than 30 s.
        """
        encoder = self.model.model.encoder
        if self.pads:
            return padded_states(encoder, self.extractor, batch.waves)
        (wave,) = batch.waves
        return unpadded_states(encoder, self.extractor, wave)

    def _search(self, encoded: Sequence[Tensor], prompts: Tensor) -> _Search:
        """Search utterances together; ``encoded`` has their last encoder layers."""
        most = self.model.config.max_target_positions - prompts.shape[1]
        attended = self.decoder.attended(encoded)
        with eval_mode(self.model):
            tokens = self.decoder.search(attended, prompts, min(MOST_TOKENS, most))
        return _Search(attended, prompts, tokens)

    def _decoder_group(self, search: _Search, rows: slice) -> LayerGroup:
        """Return the states over the tokens of some utterances, in one pass."""
        prompts, tokens = search.prompts[rows], search.tokens[rows]
        device = prompts.device
        read = [
            torch.tensor([*prompt, *chosen[:-1]], device=device)
            for prompt, chosen in zip(prompts.tolist(), tokens, strict=True)
        ]
        padded = pad_sequence(read, batch_first=True, padding_value=self.decoder.end)
        states = self.decoder.states(rows_of(search.attended, rows), padded)
        frames = [layer[:, prompts.shape[1] - 1 :] for layer in states]
        lengths = torch.tensor([len(chosen) for chosen in tokens], device=device)
        return _group(frames, lengths)

    def _prompts(self, languages: Sequence[str | None]) -> Tensor:
        """Return the prompt tokens of each utterance, all of one length."""
        rows = []
        for of_utterance in languages:
            asked = self.language or of_utterance
            language = asked if asked is not None and self._knows(asked) else "en"
            task = [self._languages[language], TRANSCRIBE] if self.multilingual else []
            rows.append(
                [self._token_ids[name] for name in (START, *task, NO_TIMESTAMPS)]
            )
        return torch.tensor(rows, device=self.model.device)

    def _knows(self, language: str) -> bool:
        # The vocabulary of English-only checkpoints also names all languages.
        if self.multilingual:
            return language in self._languages
        return language == "en"

    def _suppressed(self) -> tuple[Tensor, Tensor]:
        """Return what to add to the scores, for all steps and for the first one.

        It is ``(vocabulary,)``, -inf for suppressed tokens and 0 for others. Suppressed
        are timestamps, which are at the end of the vocabulary, and the checkpoint's own
        list: non-speech tokens, and blanks at the beginning.
        """
        settings = self.model.generation_config
        bias = torch.zeros(self.model.config.vocab_size, device=self.model.device)
        known = range(len(bias))  # a token beyond the vocabulary is never chosen
        bias[
            [token for token in settings.suppress_tokens or [] if token in known]
        ] = -torch.inf
        bias[self._token_ids[NO_TIMESTAMPS] + 1 :] = -torch.inf
        first = bias.clone()
        begin = settings.begin_suppress_tokens or []
        first[[token for token in begin if token in known]] = -torch.inf
        return bias, first


def _tokenizer(folder: Path) -> WhisperTokenizer:
    # If files are missing, from_pretrained returns a tokenizer of one token, no error.
    tokenizer = WhisperTokenizer.from_pretrained(folder, local_files_only=True)
    if missing := {START, END, NO_TIMESTAMPS} - tokenizer.get_vocab().keys():
        raise CheckpointMissing(
            f"{folder} has no Whisper tokenizer: of {len(tokenizer)} tokens, "
            f"{', '.join(sorted(missing))} are none\n"
            "  wanted: tokenizer.json, or vocab.json, merges.txt and added_tokens.json"
        )
    return tokenizer


def _language_tokens(names: Iterable[str]) -> dict[str, str]:
    """Return the token of each language by its code, old and new.

    Javanese is ``jw`` and Filipino ``tl`` in Whisper; they are ``jv`` and ``fil`` now.
    """
    tokens = {}
    for name in sorted(names):
        if match := re.fullmatch(r"<\|([a-z]{2,3})\|>", name):
            with suppress(ValueError):  # a token that is no language
                tokens[language_code(match[1])] = name
            tokens[match[1]] = name
    return tokens


def _is_multilingual(flag: object, vocabulary: int) -> bool:
    """Return what a checkpoint says, or what the size of its vocabulary tells."""
    return vocabulary >= MULTILINGUAL_VOCABULARY if flag is None else bool(flag)


def languages_of(options: Options) -> frozenset[str] | None:
    """Return the languages for which utterances of their own language get a prompt.

    Args:
        options: ``checkpoint``, ``revision`` and ``language``.

    Returns:
        ISO 639 codes; None if ``language`` is given, and so no other is used.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
    """
    if options["language"] is not None:
        return None
    folder = checkpoint_folder(options["checkpoint"], options["revision"])
    settings = folder / "generation_config.json"
    says = read_settings(settings) if settings.is_file() else {}
    config = {**_DEFAULTS, **read_settings(folder / "config.json")}
    with of_type("whisper", config, options["checkpoint"]):
        vocabulary = size_in(config, "vocab_size")
    if not _is_multilingual(says.get("is_multilingual"), vocabulary):
        return frozenset({"en"})
    return frozenset(_language_tokens(_tokenizer(folder).get_vocab()))


def _encoder_group(encoded: Sequence[Tensor], batch: Batch) -> LayerGroup:
    """Return the encoder's states, without frames beyond the audio."""
    frames = torch.tensor([frames_of(wave) for wave in batch.waves])
    return _group(encoded, frames.to(encoded[-1].device))


def _joined(parts: Sequence[LayeredFeatures]) -> LayeredFeatures:
    """Return the features of parts of a batch; if several, of one utterance each."""
    if len(parts) == 1:
        return parts[0]
    return {
        name: LayerGroup.pad([part[name].states[:, 0] for part in parts])
        for name in parts[0]
    }


def _group(states: Sequence[Tensor], lengths: Tensor) -> LayerGroup:
    """Stack the layers, each cut first, which saves the memory of their padding."""
    longest = int(lengths.max())
    return LayerGroup(torch.stack([layer[:, :longest] for layer in states]), lengths)
