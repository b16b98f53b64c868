"""A Channel Access client that says who it is: what it may do, and one put whatever that is.

    python -m tests.support.ca_client USER PV VALUE

prints the access rights that the server tells this user, and what came of the put, as JSON.
"""

import json
import os
import sys

import caproto as ca
from caproto.sync import client

PATIENCE_S = 60.0


def main(user: str, name: str, value: float) -> list[str]:
    """Return the access rights, and ``written`` or why it wasn't."""
    os.environ["LOGNAME"] = user  # where getpass looks first
    with ca.bcast_socket() as searching:
        searching.settimeout(PATIENCE_S)
        channel = client.make_channel(name, searching, 0, PATIENCE_S)
    writable = ca.AccessRights.WRITE in ca.AccessRights(channel.access_rights)
    rights = "READ, WRITE" if writable else "READ"
    client.sockets.pop(channel.circuit).close()
    del client.global_circuits[(channel.circuit.address, 0)]
    try:
        answer = client.write(name, value, notify=True, timeout=PATIENCE_S, repeater=False)
    except ca.CaprotoError as error:
        return [rights, f"refused: {error}"]
    return [rights, "written" if answer.status.success else "refused"]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
