"""What rules say: expressions over signals with units, three-valued, never evaluated as code."""
