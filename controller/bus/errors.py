"""What can go wrong between processes.

BusError
├── AddressRefused      an address that isn't private: mend the address, or give keys
├── MessageUnsendable   holds what can't travel, or is too large: mend the sender
├── MessageRefused      bytes that aren't a message: they were dropped, nothing was done
├── BusTimeout          nobody has answered in time: whether it was done is not known
└── BusClosed           this end was closed while somebody waited
"""

from controller.errors import ControllerError


class BusError(ControllerError):
    """Base of what can go wrong between processes."""


class AddressRefused(BusError):
    """An address that others could reach without a key, or that can't be used; says why."""


class MessageUnsendable(BusError):
    """A message holds something that doesn't travel, or more of it than is allowed."""


class MessageRefused(BusError):
    """Bytes from outside aren't a message that this process takes."""


class BusTimeout(BusError):
    """No answer in time; the request is withdrawn, and may have been carried out."""


class BusClosed(BusError):
    """This end of the bus was closed before an answer came."""
