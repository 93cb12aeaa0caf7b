"""One module for each corpus, which turns its files into utterances.

How noise is added does not belong here.
"""
