"""Run cells: in this process or in others, with what cost, to which result.

How a head is trained belongs into `training`, what it is trained on into `jobs`.
"""
