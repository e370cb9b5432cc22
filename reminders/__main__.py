"""`python -m reminders` is the same program as `reminders`."""

from reminders.cli.app import main

if __name__ == "__main__":
    main()
