"""The site: claims, panels, notebooks, data and methods as pages that open from disk, without a server or the network.

content    what the pages show, gathered from results, sidecars, run records, ledgers and the data catalogue
notebooks  notebooks and Markdown to HTML, by nbconvert; pictures and formulas as files with alternative texts
build      the pages, written whole or not at all
check      what a page must hold: well-formed HTML, alternative texts, labels, and links that lead somewhere
"""
