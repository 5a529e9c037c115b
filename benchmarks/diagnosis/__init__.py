"""What judges diagnosis: a corpus of networks that were made to fail. It is no part of what is judged."""
