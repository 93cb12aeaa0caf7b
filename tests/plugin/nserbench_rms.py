import torch

import nserbench as nb
from nserbench.corpora.base import folder_of
from nserbench.corpora.readers import manifest


class Power(nb.Upstream):
    def forward(self, batch):
        frames = [wave.unfold(0, 160, 160) for wave in batch.tensors()]
        power = [frame.std(dim=1)[None, :, None] for frame in frames]
        return {"rms": nb.LayerGroup.pad(power)}  # of (layers, frames, dim) each


class Line(torch.nn.Linear):
    def __init__(self, groups, classes, options):
        super().__init__(sum(group.dim for group in groups.values()), classes)

    def forward(self, features):  # of each group the mean over time of the last layer
        means = [group.states[-1, :, 0] for group in features.values()]
        return super().forward(torch.cat(means, dim=1))


def read(options, settings):
    folder = folder_of("beeps", "ask us for the recordings", settings)
    file = folder / "beeps.csv"  # path, label, speaker
    return manifest.load({"path": file, "classes": ("loud", "soft")}, settings)


@nb.hookimpl
def nserbench_upstreams():
    return [nb.UpstreamCard(name="rms", load=Power, min_samples=160)]


@nb.hookimpl
def nserbench_downstreams():
    return [nb.DownstreamCard(name="line", load=Line)]


@nb.hookimpl
def nserbench_corpora():
    return [nb.CorpusCard(name="beeps", load=read)]
