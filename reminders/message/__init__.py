"""Texts: the templates, filling them in, counting what they cost, and checking what they say."""
