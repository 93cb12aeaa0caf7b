"""Numbers by row and column, with their notes, before they are printed.

Nothing here knows of Markdown, LaTeX or terminals.
"""
