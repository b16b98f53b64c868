"""The gate's states, what trips it, what holds it, and who must be alive meanwhile."""
