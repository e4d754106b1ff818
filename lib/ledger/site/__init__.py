"""The site: topics, claims, panels, notebooks, data, documents and the API as pages that open from disk.

content    what the pages show, gathered from results, sidecars, run records, ledgers and the data catalogue
sources    the folder that Sphinx reads: notebooks and documents as they stand, the other pages from templates
extension  what Sphinx lacks: anchors of cells, alternative texts, formulas without scripts, descriptions of pages
build      Sphinx run over it, offline, and the pages put in place whole or not at all
check      what a page must hold: identifiers, alternative texts, labels, and links that lead somewhere
"""
