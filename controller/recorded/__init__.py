"""A campaign as its journal tells it: its history, followed, looked at, or gone on with."""
