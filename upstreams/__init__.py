"""Upstreams: models that turn audio or text into layered features."""

from nserbench.upstreams.torchaudio_shim import install

# Before any module of this package imports transformers, s3prl or speechbrain.
install()
