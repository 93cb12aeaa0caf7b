"""Tables made from result folders."""
