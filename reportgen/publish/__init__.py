"""Evidence and prose to pages, pages to a site.

`pages.render` turns docs/*.md and the experiments' evidence into plain Markdown, `site.build` makes
the site of it, `lint.check` reads the prose for what may not be typed, and `serve.serve` does all
of it again while somebody writes.
"""
