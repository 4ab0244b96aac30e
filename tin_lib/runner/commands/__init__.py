"""The subcommands. Each ``add_…`` declares one and the function that runs it."""
