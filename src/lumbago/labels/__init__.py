"""Labels of others and of our own, from whatever form they come in, as one form: a labelled study."""
