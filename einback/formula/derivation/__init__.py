"""Derivations: a derivative in the steps that a teacher writes, as equations and as pages."""
