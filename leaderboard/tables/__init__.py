"""Tables of numbers by row and column, with their notes, before they are written.

No number is formatted here.
"""
