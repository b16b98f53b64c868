# ruff: noqa: F821
"""Motors: what the file before defined is known here."""

sample_x = EpicsMotor(PREFIX + "X", name="sample_x")
slits = Slits(PREFIX + "S:", name="slits")
all_motors = [sample_x, slits.top]
same_again = sample_x
