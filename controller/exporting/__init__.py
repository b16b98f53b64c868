"""Gives a campaign away in files that others read: NeXus, RO-Crate, PROV."""
