"""One module for each corpus: from its files to utterances.

How noise is added does not belong here.
"""
