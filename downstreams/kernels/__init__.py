"""The fast forms of what `ladapter.py` and `bigru.py` say plainly.

Nothing here may give other numbers than the plain form, beyond rounding.
"""
