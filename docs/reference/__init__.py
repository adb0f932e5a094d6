"""The matrix calculus reference: identities as data, verified and printed by einback itself."""
