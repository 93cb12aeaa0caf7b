"""Run the study: from what was asked for to result folders."""
