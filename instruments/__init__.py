"""Talk to the bench: devices and plans; know no decision."""
