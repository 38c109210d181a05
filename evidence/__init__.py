"""What shows that a system works: one script a system, and the results it gave."""
