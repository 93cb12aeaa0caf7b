"""Write tables as text, Markdown, LaTeX, CSV and JSON.

No number is computed here.
"""
