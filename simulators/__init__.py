"""Keep the promises of ``instruments`` without hardware."""
