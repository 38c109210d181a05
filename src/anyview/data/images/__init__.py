"""What the image reader is made of: pixels of files, arrays, and where images lie in what was found."""
