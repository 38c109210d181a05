"""What the reader of text is made of: the vocabulary, and where the texts of a file or table lie."""
