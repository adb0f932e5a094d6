"""Planning: sizes bound to numbers, programs cut into pairwise steps, steps put in order and priced."""
