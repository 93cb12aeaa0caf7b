"""wav2vec 2.0, HuBERT, WavLM and other encoders of transformers.

What is specific to Whisper or BERT has a module of its own.
"""
