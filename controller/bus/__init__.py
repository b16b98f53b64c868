"""How processes speak: validated messages in msgpack over ZMQ, acknowledged where it matters."""
