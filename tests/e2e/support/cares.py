"""Which c-ares the proxy runs with. What it makes of answers that are none differs: 1.18 is that of Debian 12, 1.34 that
of Debian 13; each ends in an error that the client is told, and no half of an answer is used."""
import ctypes


def version():
    """(major, minor) of the library of this system."""
    number = ctypes.c_int()
    ctypes.CDLL("libcares.so.2").ares_version(ctypes.byref(number))
    return number.value >> 16, number.value >> 8 & 255


IS_NEW = version() >= (1, 34)
