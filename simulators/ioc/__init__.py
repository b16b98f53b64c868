"""A simulated bench as an EPICS soft IOC: its own devices, every leaf of them a PV.

There is no second bench: :mod:`simulators.ioc.server` serves the mock signals that
:mod:`simulators.mock_bench` moves, and :mod:`simulators.ioc.faulty` spoils them on request, with or
without Channel Access.
"""
