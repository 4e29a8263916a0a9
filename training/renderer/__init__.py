"""Procedural scene renderer: every texture, shape and layout is made from a seed."""
