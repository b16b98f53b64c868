"""What can go wrong in models.

ModelError
├── SpectrumError      a file or array that can't be read as a spectrum: mend the data
├── ReferenceSetError  a set of references that can't be used: mend the folder
├── SeriesError        patterns that can't be factorised: mend the data
├── PatternError       a file or array that can't be read as a powder pattern: mend the data
├── StructureError     a file that can't be read as a crystal structure: mend the file
├── ModelFileError     a folder that doesn't hold the trained model asked for: train it again
└── ReductionError     documents that aren't of the kind the reducer was built for: mend the plan
"""


class ModelError(Exception):
    """Base of everything that models raise on purpose."""


class SpectrumError(ModelError):
    """A file or an array can't be read as a spectrum; says which, where and what is accepted."""


class ReferenceSetError(ModelError):
    """A folder of references can't be used; says which and what is missing."""


class SeriesError(ModelError):
    """Patterns can't be factorised; says which and what is accepted."""


class PatternError(ModelError):
    """A file or an array can't be read as a powder pattern; says which and what is accepted."""


class StructureError(ModelError):
    """A file can't be read as a crystal structure; says which and what is missing."""


class ModelFileError(ModelError):
    """A folder doesn't hold the trained model that was asked for, or can't take one."""


class ReductionError(ModelError):
    """Documents aren't of the kind that the reducer was built for."""
