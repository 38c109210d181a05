"""How embeddings are compared: pure functions of tensors, one family a file.

Embeddings are ``(views, batch, dim)``. Every objective is computed in float32 or better, whatever autocast
says.
A stop-gradient is ``.detach()`` inside the objective whose paper has one; see its docstring.
"""
