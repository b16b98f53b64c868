"""From a spectrum to what it is made of, with an uncertainty and a word on whether it can be trusted."""
