"""Tables as text, Markdown, LaTeX, CSV and JSON.

Nothing here computes a number.
"""
