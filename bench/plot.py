"""The figures as a picture: one panel a case, one bar a proxy."""


def draw(found, path):
    return None
