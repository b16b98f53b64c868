"""How devices of every library come to write through the gate, and in no other way."""
