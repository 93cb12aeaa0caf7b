"""Check the results of several labs, and merge them.

No result is changed here.
"""
