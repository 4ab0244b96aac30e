"""Whether the files of a run are what its training wrote, and whether a new training gives them."""
