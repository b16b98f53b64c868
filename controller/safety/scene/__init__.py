"""What is known of the bench at one moment: what signals say, what was written to them."""
