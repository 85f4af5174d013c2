"""What the tests on a running site share."""
