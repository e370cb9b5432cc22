"""The pages, a module a family: each parses, calls one function of the engine, and shows."""
