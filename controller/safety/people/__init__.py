"""Who may do what at the gate, and the file that says so."""
