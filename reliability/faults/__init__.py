"""Faults that are brought about while the real program runs."""
