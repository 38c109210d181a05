"""What is predicted, where that holds state: EMA teachers and queues.

A target without state needs nothing from here: a stop-gradient is ``.detach()``, as the objectives write it.
State is buffers and parameters without gradient, so that ``state_dict`` resumes a run exactly.
"""
