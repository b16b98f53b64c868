"""From a spectrum to what it is made of: fractions, their uncertainty, whether to trust them."""
