"""What an evidence bundle carries along so that others can check it without Calibrant.

``verify.py`` is copied into every bundle as it is. It is one long file, of the standard library alone and for Python
3.8, so that an auditor can read it, keep a copy and carry it to another machine; nothing in Calibrant imports it.
"""
