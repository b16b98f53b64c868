"""What the gate's process holds: connections to the bench, and what each message has it do."""
