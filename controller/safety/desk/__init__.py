"""Where people speak to the gate: their commands, the sockets, and the terminal's side."""
