"""Models that turn audio into layered features."""
