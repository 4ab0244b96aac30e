"""The verbs of the command line. Each ``add_…`` declares one and names the function it calls."""
