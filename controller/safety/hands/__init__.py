"""What the gate acts with: puts, the sequence that makes safe, and the thread that stops all."""
