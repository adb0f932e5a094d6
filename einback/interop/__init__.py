"""Other libraries' types, each in a module of its own and none of them required."""
