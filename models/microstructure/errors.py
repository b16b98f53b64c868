"""What can go wrong with microstructures.

MicrostructureError   images, knobs or spaces that can't be used as they are: mend what is given
"""

from models.errors import ModelError


class MicrostructureError(ModelError):
    """Images, knobs or spaces can't be used; says which and what is accepted."""
