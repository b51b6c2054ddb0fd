"""``python -m weaklabel``: the command line."""

from weaklabel.cli import app

if __name__ == "__main__":
    app()
