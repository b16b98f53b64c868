"""What the `heliostat` command does, once it has been asked to; imported only then."""
