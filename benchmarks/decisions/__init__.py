"""Decisions measured: experiments to a target, paired with those of other libraries.

``python -m benchmarks.decisions --help``; the peers' environments: ``benchmarks.decisions.peers``.
"""
