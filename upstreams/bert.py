"""BERT: every layer over a transcript."""

from __future__ import annotations

import torch
from transformers import BatchEncoding, BertConfig, BertModel

from nserbench.cards import Options
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream
from nserbench.upstreams.loading.configs import describe_bert
from nserbench.upstreams.loading.hub import checkpoint_folder
from nserbench.upstreams.loading.transformers import load_pretrained, load_tokenizer


class BertLayers(BertModel):  # type: ignore[misc]  # transformers is not typed
    """BERT without its pooler, which follows the last layer."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config, add_pooling_layer=False)


class Bert(Upstream):
    """The layers of a BERT over a transcript.

    Layer 0 is the sum of the embeddings, normalised, which enters block 1.

    Args:
        options: ``checkpoint``, ``revision``, and ``pool``. With ``mean``, each token
            is a frame, [CLS] and [SEP] included, so a head's mean over frames is over
            all of them, and an empty transcript has two. With ``cls``, the only frame
            is that of [CLS]. The paper does not say how it pools (Sec. IV-B); the
            default ``mean`` is our choice.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if it is no BERT.
    """

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        describe_bert(options)  # raises if it is no BERT
        folder = checkpoint_folder(options["checkpoint"], options["revision"])
        self.model: BertLayers = load_pretrained(BertLayers, folder).to(device)
        self.tokenizer = load_tokenizer(folder, self.model.config.vocab_size)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``text``.

        Raises:
            ValueError: if an utterance has no transcript, or if it has more tokens than
                the model has positions.
        """
        tokens = self._tokens(batch)
        out = self.model(**tokens, output_hidden_states=True)
        states = torch.stack(out.hidden_states)
        lengths = tokens["attention_mask"].sum(dim=1)
        if self.options["pool"] == "cls":
            states, lengths = states[:, :, :1], torch.ones_like(lengths)
        return {"text": LayerGroup(states, lengths)}

    def _tokens(self, batch: Batch) -> BatchEncoding:
        """Return token ids and mask, ``(batch, tokens)`` each, padded on the right."""
        for name, text in zip(batch.ids, batch.texts, strict=True):
            if text is None:
                raise ValueError(
                    f"{name} has no transcript, and BERT reads transcripts"
                )
        tokens = self.tokenizer(
            list(batch.texts),
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        most = self.model.config.max_position_embeddings
        counts = tokens["attention_mask"].sum(dim=1).tolist()
        for name, count in zip(batch.ids, counts, strict=True):
            if count > most:
                raise ValueError(
                    f"the transcript of {name} has {count} tokens, "
                    f"but {self.options['checkpoint']} reads at most {most}"
                )
        return tokens.to(self.model.device)
