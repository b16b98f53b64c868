"""The gate itself: judges each write, arms, trips, holds, and is released by people."""
