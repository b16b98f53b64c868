"""What a campaign came to, in numbers and in the words that people read."""
