"""The account of a campaign: one HTML page with figures, made from its journal alone."""
