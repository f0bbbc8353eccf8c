"""Is this machine ready, and everything for a room without internet."""
