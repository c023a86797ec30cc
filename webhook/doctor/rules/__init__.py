"""The rules: each a small function from the world to what is wrong in it. Pure."""
