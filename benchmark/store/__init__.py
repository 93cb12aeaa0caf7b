"""Files kept between runs: features, weights of heads, facts about files.

Each is found by a digest of what it was made from. Nothing here depends on upstreams,
heads or cells.
"""
