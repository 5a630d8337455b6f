"""What survey platforms give back: one module for each, which says what stands in its export."""
