"""What is kept between runs, found by the digest of its content.

Nothing here knows of upstreams, heads or cells.
"""
