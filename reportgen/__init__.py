"""reportgen: train, measure, and write the answer to the weight-initialization assignment."""
