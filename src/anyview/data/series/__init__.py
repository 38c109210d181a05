"""Reading series: which columns hold them, one array a series, missing values, windows, packing."""
