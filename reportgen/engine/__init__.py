"""Trains and measures: the only room that imports TensorFlow, and only inside its workers."""
