"""Surrogates: they learn outcomes over the unit cube and predict with an uncertainty."""
