"""From images to what they show: atoms and defects, missing pixels, the state of the tip."""
