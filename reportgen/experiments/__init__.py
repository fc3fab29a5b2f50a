"""One file an experiment: its runs, its theory, its figures and tables, its claims."""
