"""Run cells, in this process or in workers, and estimate what they cost.

How a head is trained belongs to `training`, which data it is trained on to `jobs`.
"""
