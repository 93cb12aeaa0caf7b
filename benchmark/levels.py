"""The levels of noise that can be asked for."""

LOUDEST = 100.0
"""dB either way, our bound: beyond it float32 holds speech and noise no longer both."""
