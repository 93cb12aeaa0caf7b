"""The tables and figures of the paper's experiments, in its layout.

Tables of any other study belong into `tables`.
"""
