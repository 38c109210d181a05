"""Systems that predict what was hidden."""
