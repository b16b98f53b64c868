"""Puts what a campaign measured and decided into a Tiled catalog; only ever reads the campaign."""
