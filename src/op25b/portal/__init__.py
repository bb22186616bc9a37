"""Pages and interfaces for customers and for operators. What is here writes the store, and cannot touch the filter."""
