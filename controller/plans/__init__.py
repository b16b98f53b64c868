"""Plans as a campaign calls them: where they are found, with what, what they use up."""
