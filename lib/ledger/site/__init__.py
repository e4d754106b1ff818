"""The site: topics, claims, panels, notebooks, data, documents and the API, opened from disk.

content    what the pages show, gathered from results, sidecars, run records, ledgers and catalogue
sources    the folder that Sphinx reads: notebooks and documents as they stand, or from templates
extension  what Sphinx lacks: anchors of cells, alternative texts, formulas without scripts
build      Sphinx run over it, offline, and the pages put in place whole or not at all
check      what a page must hold: identifiers, alternative texts, labels, links that lead somewhere
"""
