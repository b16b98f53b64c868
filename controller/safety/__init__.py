"""Stands between every decision and every device: no write reaches hardware without it."""
