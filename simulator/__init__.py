"""A simulator of two crore learners and of the learning-record store that serves them."""
