"""`python -m pilothouse` is the command line."""

from pilothouse.app.main import main

if __name__ == "__main__":
    main()
