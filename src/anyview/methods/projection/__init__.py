"""Systems that predict projections of the sample itself: no views to agree, nothing hidden."""
