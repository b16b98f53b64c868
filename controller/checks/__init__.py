"""What must be true of a campaign's files before it runs; tells all that is wrong at once."""
