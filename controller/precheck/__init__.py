"""Plans run dry before a point runs: on a second set of devices, on a virtual clock."""
