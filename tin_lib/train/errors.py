"""How a fit ends early."""


class Diverged(ArithmeticError):
    """The loss is no longer finite."""


class Interrupted(KeyboardInterrupt):
    """A fit was interrupted after ``epochs`` of it were saved. IPython shows one line for it."""

    def __init__(self, epochs: int) -> None:
        super().__init__(epochs)
        self.epochs = epochs

    def __str__(self) -> str:
        return self.advice("command")

    def advice(self, what: str) -> str:
        """How to resume, by running the ``what`` again."""
        if not self.epochs:
            return f"Stopped before an epoch was saved; run the {what} again to start over"
        return f"Stopped; run the {what} again to resume after epoch {self.epochs}"

    def _render_traceback_(self) -> list[str]:
        return [self.advice("cell")]
