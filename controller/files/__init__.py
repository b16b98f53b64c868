"""What a campaign's files say, each value with its line: the campaign, the beamline, units."""
