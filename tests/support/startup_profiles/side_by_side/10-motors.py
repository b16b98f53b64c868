"""Motors: what the file before defined is known here."""

sample_x = EpicsMotor(PREFIX + "X", name="sample_x")  # noqa: F821
slits = Slits(PREFIX + "S:", name="slits")  # noqa: F821
all_motors = [sample_x, slits.top]
same_again = sample_x
