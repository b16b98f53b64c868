"""Tries each rule of an envelope at its limit, with nothing at stake, before the bench is used."""
