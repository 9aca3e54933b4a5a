"""HTML pages: one base template, macros for its parts, and one template per page in `templates/`.

Python prepares plain values and figures, templates lay them out. A page is one file that needs no network.
"""
