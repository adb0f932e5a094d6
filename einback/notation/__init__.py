"""The notation: einsum strings, declarations and index programs, read into nodes."""
