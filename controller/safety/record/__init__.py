"""The gate's own record, with signed checkpoints, and the records of commissioning."""
