"""The seven experiments of the paper, each a grid file with its report's layout."""
