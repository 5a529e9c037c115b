"""Networks of the user's own: found, checked, and trained as a stack of one. docs/own-network.md is the protocol."""
