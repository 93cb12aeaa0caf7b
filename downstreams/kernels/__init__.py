"""Fast forms of the GRU, of dropout and of the layer adapters.

They return what the plain forms return, up to rounding.
"""
