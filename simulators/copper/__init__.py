"""A simulated in-situ XAS station with a copper catalyst in its cell: physics only, no devices.

:class:`~simulators.copper.twin.CopperTwin` is the bench; :mod:`simulators.copper.recipe` plays the
campaign's recipe on it and :mod:`simulators.copper.grid` says what 10⁵ recipes give at once. The
parts: options, furnace, gas, kinetics, beam, drift, scans, spectra.
"""
