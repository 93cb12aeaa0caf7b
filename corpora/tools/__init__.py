"""Describe, check and download corpora.

Nothing here is needed to run a cell.
"""
