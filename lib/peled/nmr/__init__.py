"""NMR: from a free induction decay to a claim with an error."""
