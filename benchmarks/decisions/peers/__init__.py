"""Other libraries beside ours: each in an environment and a process of its own.

``python -m benchmarks.decisions.peers --prefix FOLDER/ optuna baybe`` makes the environments.
"""
