"""The subcommands of `heliostat`, as the command line reads them."""
