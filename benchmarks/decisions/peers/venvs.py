"""Which environment a peer needs, with the versions that were compared."""

from dataclasses import dataclass

TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Venv:
    """A virtual environment by name, and what is installed into it."""

    name: str
    packages: tuple[str, ...]


_OPTUNA = Venv("optuna", ("optuna==5.0.0", "botorch==0.18.1", TORCH))
_BOTORCH = Venv("botorch", ("botorch==0.18.1", TORCH))
_AX = Venv("ax", ("ax-platform==1.3.1", TORCH))
_BAYBE = Venv("baybe", ("baybe==0.15.0", TORCH))
_GPCAM = Venv("gpcam", ("gpcam==8.6.1", "fvgp==4.9.3"))
_BLOP = Venv("blop", ("blop==1.2.0", "ax-platform==1.3.1", TORCH))

VENVS = {
    "optuna_gp": _OPTUNA,
    "optuna_tpe": _OPTUNA,
    "botorch": _BOTORCH,
    "ax": _AX,
    "baybe": _BAYBE,
    "gpcam_ei": _GPCAM,
    "gpcam_lcb": _GPCAM,
    "blop": _BLOP,
}
"""The environment of each peer."""
