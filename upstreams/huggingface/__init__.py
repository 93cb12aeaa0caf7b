"""wav2vec 2.0, HuBERT, WavLM and other encoders of transformers.

Whisper and BERT have modules of their own.
"""
