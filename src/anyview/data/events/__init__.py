"""Event logs: which columns they have, and the histories in them."""
