"""The checks by family: one file each, and ``catalogue`` with all of them."""
