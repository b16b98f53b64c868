"""Tells people what they must know, wherever they are; nothing of the campaign waits for it."""
