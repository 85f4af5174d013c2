"""The web service of trainers and admins: events."""
