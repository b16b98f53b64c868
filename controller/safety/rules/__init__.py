"""The rules of an envelope: what each looks at, when it refuses a write, and when it trips."""
