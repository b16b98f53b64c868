"""Learn from measurements and predict, with an uncertainty."""
