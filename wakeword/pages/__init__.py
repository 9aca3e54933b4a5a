"""HTML pages: Python prepares values and figures, Jinja2 templates lay them out. A page is one offline file."""
