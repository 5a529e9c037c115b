"""What is no subject of a test is left out of its commands: pictures and the search for causes take seconds each."""


def quick(*words: str, plots: str = "plots=false", diagnosis: str = "diagnosis=none") -> list[str]:
    """A command's words, and that it need neither draw nor diagnose; what the words themselves say of it counts."""
    if any(word.startswith(("-h", "--help", "--cfg", "--info", "resume=")) for word in words):
        return list(words)
    given = {word.split("=")[0].split(".")[0] for word in words}
    return [*words, *(more for more in (plots, diagnosis) if more and more.split("=")[0] not in given)]
