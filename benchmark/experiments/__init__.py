"""The seven experiments of the paper: for each a grid file with the report's layout."""
