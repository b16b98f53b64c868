"""The bench as the loop sees it, and the gate's word on whether it may run."""
