"""emotion2vec: every layer of its encoder."""

from __future__ import annotations

import torch

from nserbench.cards import Options
from nserbench.errors import BadSpec, NserbenchError
from nserbench.upstreams.base import Batch, LayeredFeatures, LayerGroup, Upstream
from nserbench.upstreams.emotion2vec.config import checkpoint_file, read_sizes
from nserbench.upstreams.emotion2vec.network import Emotion2vecModel
from nserbench.upstreams.loading.size_limit import SizeLimit
from nserbench.upstreams.loading.torch_files import reason
from nserbench.upstreams.loading.torch_weights import fill, read_torch_weights


class Emotion2vec(Upstream):
    """The layers of an emotion2vec (Ma et al., arXiv:2312.15185) over audio.

    Utterances are run one by one: a wave is scaled to mean 0 and variance 1, and
    padding would enter the positional convolutions.

    Args:
        options: ``checkpoint`` and ``revision``. No code that the file names is run.

    Raises:
        CheckpointMissing: if it is not found, or is incomplete.
        BadSpec: if it is no emotion2vec, or holds more than plain data.
    """

    thread_safe = True

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        file = checkpoint_file(options)
        sizes = read_sizes(file)
        try:
            with SizeLimit([file]):
                self.model: Emotion2vecModel = Emotion2vecModel(sizes)
        except NserbenchError:
            raise
        except (RuntimeError, ValueError) as error:
            raise BadSpec(f"{file} is no known emotion2vec: {reason(error)}") from error
        weights = read_torch_weights(file, keep=("model",))
        own = {
            name.removeprefix(sizes.prefix): tensor
            for name, tensor in weights.items()
            if name.startswith(sizes.prefix)
        }
        fill(self.model, own, file)
        self.model.eval().to(device)

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return the group ``encoder``; padding is 0."""
        states = [
            self.model(torch.as_tensor(wave, device=self.device)[None])[:, 0]
            for wave in batch.waves
        ]
        return {"encoder": LayerGroup.pad(states)}
