"""Upstreams: models that turn audio or text into layered features."""

from nserbench.upstreams._torchaudio_compat import install

# Before any module of this package imports transformers, s3prl or speechbrain.
install()
