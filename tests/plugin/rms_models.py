import torch

import nserbench as nb
from nserbench.corpora.readers import manifest


class Power(nb.Upstream):
    def forward(self, batch):
        frames = [torch.tensor(wave).unfold(0, 160, 160) for wave in batch.waves]
        power = [wave.std(dim=1)[None, :, None] for wave in frames]
        return {"rms": nb.LayerGroup.pad(power)}  # of (layers, frames, dim) each


class Line(torch.nn.Linear):
    def __init__(self, groups, classes, options):
        super().__init__(groups["rms"].dim, classes)

    def forward(self, features):
        return super().forward(features["rms"].states[-1, :, 0])


def read(options, settings):
    file = settings.path("beeps") / "beeps.csv"  # path, label, speaker
    return manifest.load({"path": file, "classes": ("loud", "soft")}, settings)
